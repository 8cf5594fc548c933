"""Shutting a hub client down so that nothing of it stays: its threads, its sockets, its memory.

The SDK's own ``shutdown`` leaves two things. A client whose network thread died waits for ever for that thread to
report the disconnect, and keeps seven other threads meanwhile. And paho's pair of sockets, by which it wakes its
network thread, is closed by its finalizer, which cyclic references hold up until the next full garbage collection: an
hour of a hub that drops links costs dozens of descriptors. Source: paho-mqtt 1.6.1 ``Client.__del__``;
azure-iot-device 2.14 ``MQTTTransportStage``, ``IoTHubModuleClient.shutdown``.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import Any, Final

from azure.iot.device.common.pipeline.pipeline_ops_base import DisconnectOperation

from vigie.log import get_logger

log = get_logger(__name__)

# paho's code for a connection that was lost.
_LOST: Final = 7
# Retired clients whose memory is not yet collected; during a long outage one comes every few seconds.
COLLECT_AFTER: Final = 8
# Flow comes first after an outage: what the clients before held is freed (tens of milliseconds) when it is over.
SETTLED_S: Final = 2.0


class ClientShutdown:
    """The end of one client; ``run`` may hang, and ``unblock`` ends that."""

    def __init__(self, client: Any) -> None:
        """Nothing is shut down before ``run``."""
        self._client = client
        self._stage = _transport_stage(client)
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        """Whether ``run`` has returned."""
        return self._done.is_set()

    def run(self) -> None:
        """The client's orderly end, and its sockets with it. Raises: what the client raises."""
        try:
            self._client.shutdown()
        finally:
            if (network := self._network()) is not None:
                network._reset_sockets()  # noqa: SLF001 - there is no public way
            self._done.set()

    def unblock(self) -> None:
        """Tell a client that waits for its dead network thread what that thread would have told it.

        May be called at any time and again. A client that has not begun to disconnect would take it for a lost
        connection, and reconnect beside the one that replaces it: it is told nothing yet.
        """
        network = self._network()
        thread: threading.Thread | None = getattr(network, "_thread", None)  # None: its own disconnect has joined it
        if self.done or network is None or (thread is not None and thread.is_alive()):
            return
        pending = getattr(self._stage, "_pending_connection_op", None)
        if isinstance(pending, DisconnectOperation) and (tell := network.on_disconnect) is not None:
            with contextlib.suppress(Exception):
                tell(network, None, _LOST)

    def _network(self) -> Any:
        network = getattr(getattr(self._stage, "transport", None), "_mqtt_client", None)
        return network if hasattr(network, "_reset_sockets") else None


class RetiredClients:
    """Those that were replaced, until nothing of them is left. One thread's: the link's."""

    def __init__(self) -> None:
        """None yet."""
        self._hanging: list[ClientShutdown] = []
        self._uncollected = 0

    def add(self, shutdown: ClientShutdown) -> None:
        """One more. Many are collected at once, whatever the state of the link."""
        self._uncollected += 1
        self._hanging.append(shutdown)
        self._end_hanging()
        if self._uncollected >= COLLECT_AFTER:
            self._collect()

    def look(self, up_s: float) -> None:
        """Called several times a second; ``up_s``: for how long the link has been up."""
        self._end_hanging()
        if up_s > SETTLED_S and not self._hanging:
            self._collect()

    def _end_hanging(self) -> None:
        for one in self._hanging:
            one.unblock()
        self._hanging = [one for one in self._hanging if not one.done]

    def _collect(self) -> None:
        """Free what they held: descriptors, and memory in cycles that a collection by itself may leave for hours."""
        if self._uncollected:
            count, self._uncollected = self._uncollected, 0
            gc.collect()
            log.debug("retired_clients_collected", count=count)


def _transport_stage(client: Any) -> Any:
    """The stage of the client's pipeline that has the connection; None if this SDK is built otherwise."""
    stage = getattr(getattr(client, "_mqtt_pipeline", None), "_pipeline", None)
    while stage is not None and not hasattr(stage, "transport"):
        stage = getattr(stage, "next", None)
    return stage
