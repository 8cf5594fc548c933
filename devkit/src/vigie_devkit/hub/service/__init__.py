"""The operator's side of the hub: IoT Hub's service REST, the hub's own paths below /vigie/, and a client of both.

Light to import: the command line reads it for its client, only the hub itself needs the server.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from ssl import SSLContext

from vigie_devkit.hub.ports import HubControl, ServiceSettings, UpstreamSink

__all__ = ["open_service"]


def open_service(
    control: HubControl, sink: UpstreamSink, settings: ServiceSettings, tls: SSLContext
) -> AbstractAsyncContextManager[int]:
    """Serve until the context ends; see `vigie_devkit.hub.ports.ServiceFactory`.

    Yields: the bound port.
    Raises: HubStartError: the port is taken or may not be bound.
    """
    from vigie_devkit.hub.service.server import serve

    return serve(control, sink, settings, tls)
