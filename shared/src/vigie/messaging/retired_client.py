"""Shutting a hub client down so that nothing of it stays: its threads, its sockets, its memory.

The SDK's own ``shutdown`` leaves two things. A client whose network thread died waits for ever for that thread to
report the disconnect, and keeps seven other threads meanwhile. And paho's pair of sockets, by which it wakes its
network thread, is closed by its finalizer, which cyclic references hold up until the next full garbage collection: an
hour of a hub that drops links costs dozens of descriptors. Source: paho-mqtt 1.6.1 ``Client.__del__``;
azure-iot-device 2.14 ``MQTTTransport``, ``IoTHubModuleClient.shutdown``.
"""

from __future__ import annotations

import gc
import threading
from typing import Any, Final

from vigie.log import get_logger

log = get_logger(__name__)

# paho's code for a connection that was lost.
_LOST: Final = 7
# Retired clients whose memory is not yet collected; during a long outage one comes every few seconds.
COLLECT_AFTER: Final = 8
# Flow comes first after an outage: what the clients before held is freed (tens of milliseconds) when it is over.
SETTLED_S: Final = 2.0


def shut_down(client: Any) -> None:
    """The client's orderly end, and its sockets with it. May hang if its network thread died: see ``unblock``."""
    network = _network_client(client)  # looked up before: a client that was shut down may have let it go
    try:
        client.shutdown()
    finally:
        if network is not None:
            network._reset_sockets()  # noqa: SLF001 - there is no public way


def unblock(client: Any) -> bool:
    """Tell a client whose network thread is gone what that thread would have told it; then ``shut_down`` returns.

    Returns: whether that was the case.
    """
    network = _network_client(client)
    thread: threading.Thread | None = getattr(network, "_thread", None)  # None: its own disconnect has joined it
    if network is None or (thread is not None and thread.is_alive()):
        return False
    if (tell := network.on_disconnect) is not None:  # None: it is past its disconnect, and waits for something else
        tell(network, None, _LOST)
    return tell is not None


class RetiredClients:
    """How many clients were retired since their memory was last collected. One thread's: the link's."""

    def __init__(self) -> None:
        """None yet."""
        self._waiting = 0

    def add(self) -> None:
        """One more; many are collected at once, whatever the state of the link."""
        self._waiting += 1
        if self._waiting >= COLLECT_AFTER:
            self.collect()

    def quiet_for(self, seconds: float) -> None:
        """The link has been up for so long: a good moment, if it is long enough."""
        if seconds > SETTLED_S:
            self.collect()

    def collect(self) -> None:
        """Free what they held: descriptors, and memory in cycles that a collection by itself may leave for hours."""
        if self._waiting:
            count, self._waiting = self._waiting, 0
            gc.collect()
            log.debug("retired_clients_collected", count=count)


def _network_client(client: Any) -> Any:
    """The client of paho inside; None if this SDK is built otherwise. There is no public way to it."""
    stage = getattr(getattr(client, "_mqtt_pipeline", None), "_pipeline", None)
    while stage is not None:
        if (transport := getattr(stage, "transport", None)) is not None:
            network = getattr(transport, "_mqtt_client", None)
            return network if hasattr(network, "_reset_sockets") else None
        stage = getattr(stage, "next", None)
    return None
