"""The link to the hub: opens a session, watches it, and replaces it when it is dead; for ever, or until stopped.

What is watched, and why ``connected`` is not enough, is told in ADR 0007. The thread here never makes a call that
may hang without a deadline, so it is the one place that can be relied on to notice.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from azure.iot.device import exceptions as sdk
from azure.iot.device.common import transport_exceptions as transport
from azure.iot.device.common.pipeline import pipeline_exceptions

from vigie.config.environment import check_boot_variables
from vigie.errors import HubCallHungError, HubUnavailableError, PermanentError
from vigie.health import Health
from vigie.log import OncePer, get_logger
from vigie.messaging.calls import CALL_DEADLINE_S, CallThread
from vigie.messaging.certificate_time import dates_refused
from vigie.messaging.patience import Patiences
from vigie.messaging.retired_client import RetiredClients
from vigie.messaging.sdk_threads import has_network_thread, replace_stuck_executors, watch_network_threads
from vigie.messaging.session import Handlers, Json, SdkSession, Session
from vigie.metrics import Metrics

log = get_logger(__name__)

# After this long the link reconnects by itself: the client gives up for good after CONNACK 2, 4 or 5.
DISCONNECTED_LIMIT_S = 5.0
BACKOFF_S = (0.1, 0.2, 0.5, 1.0)
# So many calls hung one after the other, none answered (minutes): the process is beyond repair from inside.
HUNG_LIMIT = 40
# So many threads hang in the client at once (each hang of the hub of 45 s leaves about 8): a new process has none.
LEFT_BEHIND_LIMIT = 64
_LOOK_EVERY_S = 0.25

# Setting a handler raises what its inner layers raise; connecting raises the public errors.
_CONNECTION_ERRORS: tuple[type[Exception], ...] = (
    sdk.ConnectionFailedError,
    sdk.ConnectionDroppedError,
    sdk.NoConnectionError,
    transport.ConnectionFailedError,
    transport.ConnectionDroppedError,
    transport.NoConnectionError,
    pipeline_exceptions.OperationCancelled,
    pipeline_exceptions.OperationTimeout,
)


@dataclass(slots=True)
class LinkContext:
    """What a link works for: the service gives it, a real link or the one in memory takes it."""

    handlers: Handlers
    attach: Callable[[Session], None]
    detach: Callable[[Session], None]
    online: Callable[[], None]
    fatal: Callable[[Exception], None]
    metrics: Metrics
    health: Health


class Link(Protocol):
    """The hub as the service sees it. All methods may be called from any thread."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    @property
    def connected(self) -> bool: ...
    def get_twin(self) -> Json:
        """Raises: TransientError."""

    def report(self, patch: Json) -> None:
        """Raises: TransientError."""


class HubLink:
    """A link over azure-iot-device. ``start`` returns at once; sessions come and go on the thread ``hub.link``."""

    def __init__(self, context: LinkContext, *, left_behind_limit: int = LEFT_BEHIND_LIMIT) -> None:
        """Nothing is opened before ``start``. ``left_behind_limit``: threads that may hang before the process ends."""
        self._context = context
        self._left_behind_limit = left_behind_limit
        self._calls = CallThread("hub.calls")
        self._patiences = Patiences()
        self._stop = threading.Event()
        self._look = threading.Event()
        self._session: SdkSession | None = None
        self._hung_in_a_row = 0
        self._retired = RetiredClients()
        self._quiet = OncePer(10.0)
        self._thread = threading.Thread(target=self._run, name="hub.link", daemon=True)
        self._watchdog = context.health.watch("hub.link", 30.0)
        context.health.not_ready("hub", "not connected yet")
        watch_network_threads(self)

    def start(self) -> None:
        """Raises: PermanentError: this process was started neither by IoT Edge nor by the local run."""
        check_boot_variables(os.environ)
        self._thread.start()

    def stop(self) -> None:
        """Retire the session and end the thread; bounded by a few seconds whatever hangs."""
        self._stop.set()
        self._look.set()
        if self._thread.is_alive():
            self._thread.join(CALL_DEADLINE_S)
        self._calls.close()
        self._context.health.forget(self._watchdog)

    @property
    def connected(self) -> bool:
        session = self._session
        return session is not None and session.usable

    def get_twin(self) -> Json:
        return self._current().get_twin()

    def report(self, patch: Json) -> None:
        self._current().report(patch)

    def network_thread_died(self, cause: str) -> None:
        """Told by the process's thread hook: the client still says it is connected, and will for ever."""
        if (session := self._session) is not None:
            session.vitals.fatal = f"network thread died: {cause}"
            self._look.set()

    def _current(self) -> SdkSession:
        session = self._session
        if session is None:
            raise HubUnavailableError("not connected to the hub")
        return session

    def _run(self) -> None:
        try:
            fresh: SdkSession | None = None
            while (session := self._open(fresh)) is not None:
                reason, fresh = self._watch(session)
                self._drop(session)
                del session
                self._check_left_behind(HubUnavailableError(reason or "stopped"))
                if reason:
                    log.warning("hub_client_rebuilt", reason=reason)
                    self._context.metrics.client_rebuilds.labels(reason.partition(":")[0]).inc()
        except Exception as error:
            log.exception("hub_link_failed", error=str(error))
            self._context.fatal(error)

    def _open(self, session: SdkSession | None) -> SdkSession | None:
        """Create and connect until it works; None when stopped. ``session``: one already created."""
        attempt = 0
        while not self._stop.is_set():
            self._watchdog.beat()
            try:
                session = session or self._create()
                session.connect(self._context.handlers)
            except Exception as error:
                if session is not None and not self._may_try_again(session, error):
                    self._retired.add(session.retire())
                    session = None
                self._note_failure(error)
                self._check_left_behind(error)
            else:
                self._hung_in_a_row = 0
                self._session = session
                self._context.attach(session)
                return session
            self._stop.wait(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            attempt += 1
        if session is not None:
            session.retire()
        return None

    def _create(self) -> SdkSession:
        return SdkSession.create(self._calls, self._look.set, self._patiences)

    @staticmethod
    def _may_try_again(session: SdkSession, error: Exception) -> bool:
        # A refused or dropped connection leaves the client as it was. After refused credentials it needs a new
        # token, and after a call that hung nothing about it is known.
        return isinstance(error, _CONNECTION_ERRORS) and session.vitals.fatal is None

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, HubCallHungError):
            self._hung_in_a_row += 1
            replace_stuck_executors()
            if self._hung_in_a_row >= HUNG_LIMIT:
                raise PermanentError(
                    f"the hub client hung {HUNG_LIMIT} times in a row ({error}); the process ends to be restarted"
                ) from error
        else:
            self._hung_in_a_row = 0
        reason = _reason(error)
        self._context.health.not_ready("hub", reason)
        if (held := self._quiet.ready("hub_unreachable")) is not None:
            log.warning("hub_unreachable", reason=reason, more=held)

    def _check_left_behind(self, cause: Exception) -> None:
        # With a cause the process ends as failed; without one it would pass for badly configured.
        if (count := self._calls.left_behind.count()) > self._left_behind_limit:
            raise PermanentError(
                f"{count} calls of the hub client never returned (at most {self._left_behind_limit} are left behind); "
                "the process ends to be restarted"
            ) from cause

    def _watch(self, session: SdkSession) -> tuple[str, SdkSession | None]:
        """Look until the session is dead (why, and the one to go on with if already made) or we are stopped ("")."""
        was_up, since = False, time.monotonic()
        threadless = 0
        next_renewal = 0.0
        while not self._stop.is_set():
            self._watchdog.beat()
            now = time.monotonic()
            up = session.connected
            if up != was_up:
                was_up, since = up, now
                self._say_state(up=up)
            if (fatal := session.vitals.fatal) is not None:
                return fatal, None
            if session.give_up_late_sends(now):
                return "send hung", None
            if not up and now - since > DISCONNECTED_LIMIT_S:
                return "disconnected", None
            session.renew_subscriptions()
            self._retired.look((now - since) * up)
            threadless = threadless + 1 if up and not has_network_thread() else 0
            if threadless >= 4:  # a reconnect has none for a moment
                return "network thread gone", None
            if session.vitals.renewal_failed and now >= next_renewal:
                # The connection itself still works: it is given up only for one whose token could be signed.
                try:
                    return "token renewal failed", self._create()
                except Exception as error:
                    self._context.metrics.sign_failures.inc()
                    if (held := self._quiet.ready("renewal")) is not None:
                        log.warning("token_renewal_failed", reason=_reason(error), more=held)
                    next_renewal = now + 2.0
            self._look.wait(_LOOK_EVERY_S)
            self._look.clear()
        return "", None

    def _say_state(self, *, up: bool) -> None:
        self._context.metrics.hub_connected.set(1 if up else 0)
        log.info("hub_connected" if up else "hub_disconnected")
        if up:
            self._context.health.ready("hub")
            self._context.online()
        else:
            self._context.health.not_ready("hub", "connection lost; reconnecting")

    def _drop(self, session: SdkSession) -> None:
        self._session = None
        self._context.metrics.hub_connected.set(0)
        self._context.health.not_ready("hub", "reconnecting")
        self._context.detach(session)
        self._retired.add(session.retire())
        replace_stuck_executors()


def _reason(error: BaseException) -> str:
    if (dates := dates_refused(error, datetime.now(UTC))) is not None:
        return dates
    parts = [str(error) or type(error).__name__]
    while (cause := error.__cause__) is not None and len(parts) < 4:
        error = cause
        parts.append(str(error) or type(error).__name__)
    return ": ".join(dict.fromkeys(parts))
