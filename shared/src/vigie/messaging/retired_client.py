"""Shutting a hub client down so that nothing of it stays: threads, sockets, memory (ADR 0078).

The SDK's own ``shutdown`` leaves much. A client whose network thread died waits for ever for that thread to report the
disconnect. One whose disconnect fails, as it does while the hub hangs, leaves out the rest of its shutdown: up to eight
threads, a connection that is made again beside the one that replaces it, and an alarm that holds all its memory for an
hour. And paho's pair of sockets, by which it wakes its network thread, is closed by its finalizer, which cyclic
references hold up until the next full garbage collection. Source: paho-mqtt 1.6.1 ``Client.__del__``; azure-iot-device
2.14 ``IoTHubModuleClient.shutdown``, ``SasTokenStage``, ``ConnectionStateStage``, ``SyncHandlerManager``.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from typing import Any, Final

from azure.iot.device.common.pipeline.pipeline_ops_base import DisconnectOperation
from azure.iot.device.iothub.sync_handler_manager import HandlerRunnerKillerSentinel

from vigie.log import get_logger

log = get_logger(__name__)

# paho's code for a connection that was lost.
_LOST: Final = 7
# Retired clients whose memory is not yet collected; during a long outage one comes every few seconds.
COLLECT_AFTER: Final = 8
# Flow comes first after an outage: what the clients before held is freed (tens of milliseconds) when it is over.
SETTLED_S: Final = 2.0
# A shutdown that hangs for longer is not waited for any more.
FORCED_AFTER_S: Final = 15.0
# Several looks a second find nothing alive.
_QUIET_LOOKS: Final = 8


class ClientShutdown:
    """The end of one client; ``run`` may hang or fail half-way, and ``look`` brings it to its end."""

    def __init__(self, client: Any) -> None:
        """Nothing is shut down before ``run``."""
        self._client = client
        self._stages = _stages(client)
        self._begun = time.monotonic()
        self._returned = threading.Event()
        self._quiet_looks = 0

    @property
    def over(self) -> bool:
        """Whether nothing of it lives, and nothing has come to life again since the last look."""
        return self._quiet_looks >= _QUIET_LOOKS

    def run(self) -> None:
        """The client's orderly end, and what the SDK leaves with it. Raises: what the client raises."""
        try:
            self._client.shutdown()
        finally:
            self._returned.set()
            self._release()

    def look(self, now: float) -> None:
        """End what still lives. Called again and again: a pipeline that hung may bring things to life afterwards."""
        if self._returned.is_set() or now - self._begun > FORCED_AFTER_S:
            self._quiet_looks = 0 if self._release() else self._quiet_looks + 1
        else:
            self._unblock()

    def _unblock(self) -> None:
        """Tell a client that waits for its dead network thread what that thread would have told it.

        A client that has not begun to disconnect would take it for a lost connection, and reconnect beside the one
        that replaces it: it is told nothing yet.
        """
        network = self._network()
        if network is None or _lives(getattr(network, "_thread", None)):  # None: its own disconnect has joined it
            return
        pending = next((getattr(one, "_pending_connection_op", None) for one in self._with("transport")), None)
        if isinstance(pending, DisconnectOperation) and (tell := network.on_disconnect) is not None:
            with contextlib.suppress(Exception):
                tell(network, None, _LOST)

    def _release(self) -> bool:
        """End timers, handlers, connection. Returns: whether anything lived."""
        found = False
        for name in ("_token_update_alarm", "_reauth_retry_timer", "reconnect_timer"):
            for stage in self._with(name):
                timer = getattr(stage, name)
                found = found or _lives(timer)
                timer.cancel()
        with contextlib.suppress(Exception):  # the SDK's own way to it may be under way at the same moment
            found = self._end_handlers() or found
        if (network := self._network()) is not None:
            found = found or _lives(network._thread)  # noqa: SLF001 - there is no public way
            network.on_disconnect = None
            network._thread_terminate = True  # noqa: SLF001
            with contextlib.suppress(Exception):
                network.disconnect()
                network._reset_sockets()  # noqa: SLF001
        return found

    def _end_handlers(self) -> bool:
        manager = getattr(self._client, "_handler_manager", None)
        if manager is None:
            return False
        inboxes = [
            manager._get_inbox_for_receive_handler(name)  # noqa: SLF001
            for name, thread in manager._receiver_handler_runners.items()  # noqa: SLF001
            if _lives(thread)
        ]
        if _lives(manager._client_event_runner):  # noqa: SLF001
            inboxes.append(manager._inbox_manager.get_client_event_inbox())  # noqa: SLF001
        for inbox in inboxes:
            inbox.put(HandlerRunnerKillerSentinel())
        return bool(inboxes)

    def _network(self) -> Any:
        for stage in self._with("transport"):
            network = getattr(stage.transport, "_mqtt_client", None)
            return network if hasattr(network, "_reset_sockets") and hasattr(network, "_thread") else None
        return None

    def _with(self, name: str) -> list[Any]:
        """The stages that have this attribute now."""
        return [stage for stage in self._stages if getattr(stage, name, None) is not None]


class RetiredClients:
    """Those that were replaced, until nothing of them is left. One thread's: the link's."""

    def __init__(self) -> None:
        """None yet."""
        self._living: list[ClientShutdown] = []
        self._uncollected = 0

    def add(self, shutdown: ClientShutdown) -> None:
        """One more. Many are collected at once, whatever the state of the link."""
        self._uncollected += 1
        self._living.append(shutdown)
        self._look_at_living()
        if self._uncollected >= COLLECT_AFTER:
            self._collect()

    def look(self, up_s: float) -> None:
        """Called several times a second; ``up_s``: for how long the link has been up."""
        self._look_at_living()
        if up_s > SETTLED_S and not self._living:
            self._collect()

    def _look_at_living(self) -> None:
        now = time.monotonic()
        for one in self._living:
            one.look(now)
        self._living = [one for one in self._living if not one.over]

    def _collect(self) -> None:
        """Free what they held: descriptors, and memory in cycles that a collection by itself may leave for hours."""
        if self._uncollected:
            count, self._uncollected = self._uncollected, 0
            gc.collect()
            log.debug("retired_clients_collected", count=count)


def _stages(client: Any) -> list[Any]:
    """The stages of the client's pipeline; none if this SDK is built otherwise."""
    found, stage = [], getattr(getattr(client, "_mqtt_pipeline", None), "_pipeline", None)
    while stage is not None:
        found.append(stage)
        stage = getattr(stage, "next", None)
    return found


def _lives(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.is_alive()
