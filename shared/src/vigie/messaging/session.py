"""One hub client from creation to retirement, and the seams the rest of messaging stands on.

A session is never repaired: when it is found dead the link retires it and opens the next (ADR 0007).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from azure.iot.device import IoTHubModuleClient, Message, MethodResponse

from vigie.contracts.envelope import CONTENT_ENCODING, CONTENT_TYPE
from vigie.errors import HubCallHungError, HubUnavailableError
from vigie.log import get_logger
from vigie.messaging.calls import CallThread
from vigie.messaging.nodelay import send_without_delay
from vigie.messaging.patience import Patience, Patiences
from vigie.messaging.reorder import Lane
from vigie.messaging.retired_client import ClientShutdown
from vigie.messaging.subscriptions import subscribe_again

log = get_logger(__name__)

Json = dict[str, Any]
R = TypeVar("R")

# First retry and every later one after a drop; the client's default of 10 s alone would break "flow back in 10 s".
RECONNECT_INTERVAL_S = 1
# Bounds a TLS handshake and finds a silent hub in two intervals; edgeHub closes at 1.5 of them.
KEEP_ALIVE_S = 10
# An orderly shutdown takes milliseconds; that of a client whose network thread died never returns.
SHUTDOWN_DEADLINE_S = 1.0
# The SDK's default; it renews two minutes before the end.
TOKEN_TTL_S = 3600


@dataclass(slots=True)
class RawMessage:
    """A message as it left the client: ``received_ns`` is CLOCK_MONOTONIC at the handler.

    ``wake``: the sender's socket, where it waits to hear that a claim by doorbell is processed.
    """

    input_name: str
    body: bytes
    properties: Mapping[str, str]
    received_ns: int
    lane: Lane = Lane.ROUTE
    wake: str = ""


@dataclass(slots=True)
class MethodCall:
    """A direct method as it came; ``reply(status, payload)`` may be called once, from any thread, and may block."""

    name: str
    payload: Any
    reply: Callable[[int, Any], None]


@dataclass(slots=True)
class Handlers:
    """What the hub delivers to us. Called on the client's threads, several at once, in no order: be quick."""

    on_message: Callable[[RawMessage], None]
    on_method: Callable[[MethodCall], None]
    on_patch: Callable[[Json], None]


class Session(Protocol):
    """The seam: one connection to a hub, real (``SdkSession``) or in memory (``messaging.memory``)."""

    @property
    def usable(self) -> bool:
        """Connected and not found dead."""

    def limit_s(self, output: str | None) -> float:
        """Seconds within which ``send`` to this output has to return, before the session is taken for dead."""

    def send(
        self, output: str | None, body: bytes, properties: Mapping[str, str], message_id: str | None,
        encoding: str = CONTENT_ENCODING,
    ) -> None:  # fmt: skip
        """Send and block until the hub has acknowledged. ``output`` None: a module's plain message, for ``$upstream``.

        ``encoding``: of the body, as the message's ``contentEncoding``.

        Raises: TransientError: not acknowledged, send it again. PermanentError: no hub would take it.
        """


@dataclass(frozen=True, slots=True)
class Busy:
    """A send that waits for its acknowledgement, until ``due`` (monotonic seconds)."""

    due: float
    patience: Patience


@dataclass(slots=True)
class Vitals:
    """What the supervisor of the link looks at; written by whoever sees it, without a lock (single stores)."""

    busy: dict[int, Busy] = field(default_factory=dict)
    fatal: str | None = None
    renewal_failed: bool = False
    sends_done: int = 0
    # How often the client has connected.
    connections: int = 0


class SdkSession:
    """A session over the unmodified ``IoTHubModuleClient``; every call but ``send`` has a deadline of its own."""

    def __init__(
        self, calls: CallThread, client: IoTHubModuleClient, changed: Callable[[], None], patiences: Patiences
    ) -> None:
        """``changed`` is called, from any thread, when the connection state or a vital sign may have changed."""
        self._patiences = patiences
        self._calls = calls
        # Apart from the thread of create, connect and shutdown: a twin request that hangs must not hold up a rebuild.
        self._requests = CallThread("hub.requests", calls.left_behind)
        self._client = client
        self._changed = changed
        self.vitals = Vitals()
        self._subscribed_for = 0
        self.retired = threading.Event()

    @classmethod
    def create(cls, calls: CallThread, changed: Callable[[], None], patiences: Patiences) -> SdkSession:
        """Make a client from the environment, not yet connected; asks the workload API for trust and a signature.

        Raises: HubCallHungError; and what the client raises (OSError, ValueError: see ``explain_boot``).
        """

        def make() -> IoTHubModuleClient:
            # ensure_desired_properties: the client's own twin request after a reconnect is repeated without pause
            # while the hub answers with an error; the link asks by itself.
            return IoTHubModuleClient.create_from_edge_environment(
                connection_retry_interval=RECONNECT_INTERVAL_S,
                keep_alive=KEEP_ALIVE_S,
                sastoken_ttl=TOKEN_TTL_S,
                ensure_desired_properties=False,
                product_info="vigie",
            )

        session = cls(calls, _made(calls, make), changed, patiences)
        session._client.on_connection_state_change = session._on_state  # type: ignore[assignment] # the SDK's alias says [None] for no argument
        session._client.on_background_exception = session._on_background
        return session

    def connect(self, handlers: Handlers) -> None:
        """Set the handlers; the first set connects. Inputs first: what arrives before its handler would be lost.

        May be called again after it failed. Raises: HubCallHungError; and what the client raises.
        """

        def on_message(message: Message) -> None:
            handlers.on_message(
                RawMessage(
                    message.input_name or "", _body(message.data), message.custom_properties, time.monotonic_ns()
                )
            )

        def on_method(request: Any) -> None:
            def reply(status: int, payload: Any) -> None:
                self._answer(request, status, payload)

            handlers.on_method(MethodCall(request.name, request.payload, reply))

        client = self._client
        for name, handler in (
            ("on_message_received", on_message),
            ("on_method_request_received", on_method),
            ("on_twin_desired_properties_patch_received", handlers.on_patch),
        ):
            # Setting a handler also connects and subscribes, and blocks for both.
            self._calls.call(f"set {name}", partial(setattr, client, name, handler))
        # Of the first connection: where it was lost in between, all is subscribed to once more.
        self._subscribed_for = 1
        send_without_delay()

    def renew_subscriptions(self) -> None:
        """Subscribe again if the client has connected anew: the hub may have lost what it knew.

        Where that fails on a connection that stands, the session is found dead (``vitals.fatal``).
        """
        connections = self.vitals.connections
        if connections == self._subscribed_for or not self.connected:
            return
        try:
            self._calls.call("subscribe again", partial(subscribe_again, self._client))
        except Exception as error:
            log.info("not_subscribed_again", error=str(error))
            if self.connected and connections == self.vitals.connections:
                self.vitals.fatal = f"not subscribed again: {error}"
        else:
            self._subscribed_for = connections

    @property
    def connected(self) -> bool:
        return bool(self._client.connected)

    @property
    def usable(self) -> bool:
        return self.vitals.fatal is None and not self.retired.is_set() and bool(self._client.connected)

    def limit_s(self, output: str | None) -> float:
        return self._patiences.of(output).limit_s

    def send(
        self, output: str | None, body: bytes, properties: Mapping[str, str], message_id: str | None,
        encoding: str = CONTENT_ENCODING,
    ) -> None:  # fmt: skip
        """See ``Session``. Runs on the caller's thread: the link's supervisor watches ``vitals.busy`` instead."""
        message = Message(body, message_id, encoding, CONTENT_TYPE)  # type: ignore[no-untyped-call] # the SDK's
        if properties:
            message.custom_properties.update(properties)
        patience = self._patiences.of(output)
        busy, thread, begun = self.vitals.busy, threading.get_ident(), time.monotonic()
        busy[thread] = Busy(begun + patience.limit_s, patience)
        try:
            if output is None:
                self._client.send_message(message)
            else:
                self._client.send_message_to_output(message, output)
        except ValueError:
            raise  # the client's size check: our own arithmetic comes first, so this is a fault of ours
        except Exception as error:
            raise HubUnavailableError(f"message to {output or '$upstream'} was not acknowledged: {error}") from error
        finally:
            busy.pop(thread, None)
        patience.acknowledged(time.monotonic() - begun)
        self.vitals.sends_done += 1

    def give_up_late_sends(self, now: float) -> bool:
        """Whether an acknowledgement is overdue at ``now``; whoever sends to that output next waits longer."""
        late = {id(busy.patience): busy.patience for busy in list(self.vitals.busy.values()) if now > busy.due}
        for patience in late.values():
            patience.missed()
        return bool(late)

    def get_twin(self) -> Json:
        """The full twin. Raises: TransientError."""

        def get() -> Json:
            return dict(self._client.get_twin())

        return self._request("get twin", get)

    def report(self, patch: Json) -> None:
        """Patch the reported properties. Raises: TransientError."""

        def send() -> None:
            self._client.patch_twin_reported_properties(patch)

        self._request("report properties", send)

    def retire(self) -> ClientShutdown:
        """Shut the client down, in the background if it hangs. A retired session never comes back."""
        self.retired.set()
        # Nothing here is worth waiting for, but the old client must not reconnect beside the new one: the hub keeps
        # one connection per module and would close them in turn.
        shutdown = ClientShutdown(self._client)
        with contextlib.suppress(Exception):
            self._calls.call("shut down client", shutdown.run, deadline_s=SHUTDOWN_DEADLINE_S)
        self._requests.close()
        return shutdown

    def _request(self, what: str, function: Callable[[], R]) -> R:
        try:
            return self._requests.call(what, function)
        except HubCallHungError:
            raise
        except Exception as error:
            # Not only the SDK's public errors: enabling a feature raises those of its inner layers as they are.
            raise HubUnavailableError(f"{what}: {error}") from error

    def _answer(self, request: Any, status: int, payload: Any) -> None:
        response = MethodResponse.create_from_method_request(request, status, payload)

        def send() -> None:
            self._client.send_method_response(response)

        self._request(f"answer method {request.name}", send)

    def _on_state(self) -> None:
        if self._client.connected:
            self.vitals.connections += 1
            send_without_delay()
        self._changed()

    def _on_background(self, error: Exception) -> None:
        name = type(error).__name__
        log.info("hub_client_background_error", error=f"{name}: {error}", cause=repr(error.__cause__))
        if name == "SasTokenError":
            # One failed signature ends the client's renewal for good (its alarm is not set again).
            self.vitals.renewal_failed = True
        self._changed()


def _made(calls: CallThread, make: Callable[[], IoTHubModuleClient]) -> IoTHubModuleClient:
    """What ``make`` gives in time. A client that is made too late, by a hub that hung, is shut down at once: nobody
    has it, and its alarm would keep it for an hour.
    """
    lock = threading.Lock()
    abandoned = False
    made: list[IoTHubModuleClient] = []

    def make_or_end() -> IoTHubModuleClient:
        client = make()
        with lock:
            late = abandoned
            made.append(client)
        if late:
            ClientShutdown(client).run()
        return client

    try:
        return calls.call("create client", make_or_end)
    except HubCallHungError:
        with lock:
            abandoned = True
            just_made = made[:]
        for client in just_made:
            with contextlib.suppress(Exception):
                calls.call("shut down client", ClientShutdown(client).run, deadline_s=SHUTDOWN_DEADLINE_S)
        raise


def _body(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
