"""A real local edge hub in a process of its own, on an address of its own, and real SDK clients for it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vigie_edgehub.environment import module_environment

START_S = 120.0
Json = dict[str, Any]

_environment_lock = threading.Lock()  # the SDK reads its identity from os.environ


def manifest(
    routes: Json | None = None, *, modules: Json | list[str] | None = None, ttl_s: int = 7200, **hub: Any
) -> Json:
    """Deployment content with ``modules`` (names, or name -> desired properties) and ``routes``."""
    desired = modules if isinstance(modules, dict) else {name: {} for name in (modules or ["a", "b", "c"])}
    edge_hub = {
        "schemaVersion": "1.1",
        "routes": routes or {},
        "storeAndForwardConfiguration": {"timeToLiveSecs": ttl_s},
        **hub,
    }
    agent = {
        "schemaVersion": "1.1",
        "modules": {name: {"type": "docker", "settings": {"image": "none"}} for name in desired},
        "systemModules": {"edgeAgent": {}, "edgeHub": {}},
    }
    return {
        "modulesContent": {
            "$edgeAgent": {"properties.desired": agent},
            "$edgeHub": {"properties.desired": edge_hub},
            **{name: {"properties.desired": content} for name, content in desired.items()},
        }
    }


def route(source: str, target: str) -> str:
    """``a/out`` to ``b/in`` or to ``$upstream``, as a route string."""
    module, _, output = source.partition("/")
    into = target if target == "$upstream" else 'BrokeredEndpoint("/modules/{}/inputs/{}")'.format(*target.split("/"))
    return f"FROM /messages/modules/{module}/outputs/{output} INTO {into}"


class HubProcess:
    """Start, kill, restart; environments and SDK clients for its modules. ``state`` outlives the process."""

    def __init__(
        self, folder: Path, content: Json, *, settings: Json | None = None, options: list[str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / "hub"
        self.manifest_file = folder / "deployment.json"
        self.log_file = folder / "hub.log"
        self._arguments = [*(options or [])]
        for name, value in (settings or {}).items():
            self._arguments += ["--set", f"{name}={value}"]
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Any] = []
        self.write_manifest(content)

    # --- the process ---

    def write_manifest(self, content: Json) -> None:
        self.manifest_file.write_text(json.dumps(content), encoding="utf-8")

    def start(self) -> HubProcess:
        """Until it is ready. Raises AssertionError with its log when it is not."""
        (self.state / "hub.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "vigie_edgehub", "run", "--manifest", str(self.manifest_file)]
        command += ["--state", str(self.state), "--log-level", "debug", *self._arguments]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "VIGIE_LOG": "json"})
        process = self._process
        wait_until(lambda: process.poll() is not None or self.hub_json.exists(), START_S, "hub.json")
        assert process.poll() is None, f"the hub ended with {process.returncode}:\n{self.log()}"
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill9(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def restart(self) -> HubProcess:
        self.stop()
        return self.start()

    def close(self) -> None:
        for client in self._clients:
            shut_down(client)
        self._clients.clear()
        if self._process is not None and self._process.poll() is None:
            sockets = self.description["workload_dir"] if self.hub_json.exists() else None
            self.kill9()  # quicker than a drain, but it leaves its sockets behind
            if sockets is not None:
                shutil.rmtree(sockets, ignore_errors=True)

    # --- what it says ---

    @property
    def hub_json(self) -> Path:
        return self.state / "hub.json"

    @property
    def description(self) -> Json:
        return json.loads(self.hub_json.read_text(encoding="utf-8"))

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[Json]:
        """Log lines of one event."""
        lines = (line for line in self.log().splitlines() if line.startswith("{"))
        return [entry for line in lines if (entry := json.loads(line)).get("event") == name]

    @property
    def connection_string(self) -> str:
        return Path(self.description["service_connection_string_file"]).read_text(encoding="utf-8").strip()

    def service(self) -> Any:
        """The operator's client (vigie_edgehub.service.client.ServiceClient)."""
        from vigie_edgehub.service.client import ServiceClient

        return ServiceClient.open(self.state)

    def environment(self, module: str) -> dict[str, str]:
        return module_environment(self.hub_json, module)

    # --- SDK clients ---

    def client(self, module: str, **options: Any) -> Any:
        """An unconnected, unmodified SDK module client; shut down with the hub."""
        from azure.iot.device import IoTHubModuleClient

        with _environment_lock:
            before = dict(os.environ)
            os.environ.update(self.environment(module))
            try:
                client = IoTHubModuleClient.create_from_edge_environment(**{"connection_retry_interval": 1, **options})
            finally:
                os.environ.clear()
                os.environ.update(before)
        self._clients.append(client)
        return client

    def connected(self, module: str, on_message: Callable[[Any], None] | None = None, **options: Any) -> Any:
        """A client that is connected, with its handler set before."""
        client = self.client(module, **options)
        if on_message is not None:
            client.on_message_received = on_message
        client.connect()
        return client

    @contextlib.contextmanager
    def sdk(self, module: str, on_message: Callable[[Any], None] | None = None, **options: Any) -> Iterator[Any]:
        """A connected SDK client that is gone after the block, and does not come back."""
        client = self.connected(module, on_message, **options)
        try:
            yield client
        finally:
            self._clients.remove(client)
            shut_down(client)


class Inbox:
    """A message handler that keeps what came, in the order it came."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, message: Any) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout_s: float = 20.0) -> list[Any]:
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.messages) >= count, timeout_s)
            assert came, f"{len(self.messages)} messages came, expected {count}"
            return list(self.messages)

    @property
    def bodies(self) -> list[bytes]:
        return [message.data for message in self.messages]


@contextlib.contextmanager
def running_hub(folder: Path, content: Json, **options: Any) -> Iterator[HubProcess]:
    """A started hub; with its clients it ends with the block."""
    hub = HubProcess(folder, content, **options)
    try:
        yield hub.start()
    finally:
        hub.close()


def shut_down(client: Any) -> None:
    """End an SDK client, also one whose hub is gone: its shutdown may then wait for ever."""

    def end() -> None:
        with contextlib.suppress(Exception):
            client.shutdown()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(5)


def wait_until(condition: Callable[[], Any], timeout_s: float = 20.0, what: str = "the condition") -> Any:
    """Poll until ``condition()`` is true; its value. Raises AssertionError at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s:g} s"
        time.sleep(0.01)
