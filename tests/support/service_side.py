"""The operator's side of a running hub: its REST, the unmodified azure-iot-hub package, modules with handlers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from support import hub as hub_support
from support.hub import HubProcess, shut_down, wait_until

__all__ = ["DEADLINE_S", "OperatedHub", "manifest", "served_hub", "wait_until"]

DEADLINE_S = 30.0


def manifest(*modules: str, routes: dict | None = None, desired: dict | None = None) -> dict:
    """Deployment content with these modules; ``desired``: {module: properties}."""
    return hub_support.manifest(routes, modules={name: (desired or {}).get(name, {}) for name in modules})


class OperatedHub(HubProcess):
    """A hub process and what an operator does with it."""

    def registry(self) -> Any:
        from azure.iot.hub import IoTHubRegistryManager

        return IoTHubRegistryManager.from_connection_string(self.connection_string)

    def configurations(self) -> Any:
        from azure.iot.hub import IoTHubConfigurationManager

        return IoTHubConfigurationManager.from_connection_string(self.connection_string)

    @contextmanager
    def module(self, name: str, *, prepare: Callable[[Any], None] | None = None) -> Iterator:
        """A connected SDK client; ``prepare(client)`` sets handlers before it connects."""
        client = self.client(name)
        try:
            if prepare is not None:
                prepare(client)
            client.connect()
            yield client
        finally:
            shut_down(client)

    def raw(
        self, verb: str, path: str, body: bytes | None = None, headers: dict | None = None, *, port: int | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request without any client's help: (status, headers, body)."""
        described = self.description
        host, _, service_port = described["service_url"].removeprefix("https://").partition(":")
        tls = ssl.create_default_context(cafile=described["ca_file"])
        connection = HTTPSConnection(host, port or int(service_port), timeout=DEADLINE_S, context=tls)
        try:
            connection.request(verb, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


@contextmanager
def served_hub(folder: Path, content: dict) -> Iterator[OperatedHub]:
    """A running hub with this manifest."""
    hub = OperatedHub(folder, content)
    try:
        yield hub.start()
        hub.stop()
    finally:
        hub.close()
