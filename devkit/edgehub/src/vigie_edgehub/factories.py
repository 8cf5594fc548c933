"""What the shell is given to build: the service's application for a port, and what a port serves before it."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from vigie_edgehub.deployment_desk import DeploymentDesk
from vigie_edgehub.ports import ServiceSettings, UpstreamSink
from vigie_edgehub.shell.control import Control


class Gateway(Protocol):
    """What port 443 serves to modules, asked before the service: an answer, or None for a request of the service."""

    async def __call__(self, request: web.Request) -> web.StreamResponse | None: ...


class ServiceFactory(Protocol):
    """`vigie_edgehub.service.build_service`: the application for one port.

    ``sink`` is handed over so that the REST can query and export what it recorded.
    """

    def __call__(
        self,
        control: Control,
        deployments: DeploymentDesk,
        sink: UpstreamSink,
        settings: ServiceSettings,
        gateway: Gateway | None = None,
    ) -> web.Application: ...
