"""The operator's side of the hub: IoT Hub's service REST, the hub's own paths below /vigie/, and a client of both.

Light to import: the command line reads it for its client, only the hub itself needs the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    from vigie_edgehub.deployment_desk import DeploymentDesk
    from vigie_edgehub.factories import Gateway
    from vigie_edgehub.ports import ServiceSettings, UpstreamSink
    from vigie_edgehub.shell.control import Control

__all__ = ["build_service"]


def build_service(
    control: Control,
    deployments: DeploymentDesk,
    sink: UpstreamSink,
    settings: ServiceSettings,
    gateway: Gateway | None = None,
) -> web.Application:
    """Build the service's application; see `vigie_edgehub.factories.ServiceFactory`."""
    from vigie_edgehub.service.server import build

    return build(control, deployments, sink, settings, gateway)
