"""The operator's side of the hub: IoT Hub's service REST, the hub's own paths below /vigie/, and a client of both.

Light to import: the command line reads it for its client, only the hub itself needs the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    from vigie_devkit.hub.ports import Gateway, HubControl, ServiceSettings, UpstreamSink

__all__ = ["build_service"]


def build_service(
    control: HubControl, sink: UpstreamSink, settings: ServiceSettings, gateway: Gateway | None = None
) -> web.Application:
    """Build the service's application; see `vigie_devkit.hub.ports.ServiceFactory`."""
    from vigie_devkit.hub.service.server import build

    return build(control, sink, settings, gateway)
