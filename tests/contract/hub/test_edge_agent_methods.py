"""`$edgeAgent`'s direct methods through the hub: answered by a supervisor of real processes, refused without one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from support.hub import HubProcess, running_hub, wait_until
from support.service_side import manifest
from vigie.errors import HubAnswerError
from vigie_devkit.local.agent import Agent
from vigie_devkit.local.supervisor import Program, Supervisor
from vigie_edgehub.agent import serve_agent

AGENT = "$edgeAgent"
SLEEPS = "import os, time\nprint('ready', os.getpid(), flush=True)\nwhile True: time.sleep(0.05)"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(tmp_path_factory.mktemp("agent"), manifest("camera", "away")) as hub:
        yield hub


@contextmanager
def supervising(hub: HubProcess, folder: Path) -> Iterator[str]:
    """A supervisor beside the hub, with one process, in a loop of its own; yields the process's log."""
    log = folder / "camera.log"
    ended = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def supervise() -> None:
        supervisor = Supervisor(folder)
        async with serve_agent(hub.state, Agent(supervisor, hub.hub_json).answer):
            supervisor.start(Program("camera", [sys.executable, "-I", "-c", SLEEPS], lambda: dict(os.environ), log))
            keeper = asyncio.create_task(supervisor.run())
            await ended.wait()
            keeper.cancel()
            await supervisor.stop([])

    thread = Thread(target=loop.run_until_complete, args=(supervise(),))
    thread.start()
    try:
        wait_until(lambda: log.exists() and "ready" in log.read_text(), what="the process")
        yield log
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def call(hub: HubProcess, method: str, payload: object = None) -> tuple[int, object]:
    body = b"" if payload is None else json.dumps(payload).encode()
    reply = hub.service().invoke_method(AGENT, method, body)
    return reply.status, json.loads(bytes(reply.payload))


def test_without_a_supervisor_the_agent_is_absent_and_the_answer_says_what_would_be_there(hub: HubProcess) -> None:
    with pytest.raises(
        HubAnswerError, match=r"nothing supervises modules beside this hub; './vigie up' does"
    ) as caught:
        hub.service().invoke_method(AGENT, "ping")
    assert (caught.value.status, caught.value.error_code) == (404, 404103)


def test_the_agent_answers_ping_logs_and_restarts_as_edge_agent_does(hub: HubProcess, tmp_path: Path) -> None:
    with supervising(hub, tmp_path) as log:
        assert call(hub, "ping") == call(hub, "Ping", {}) == (200, None)
        asked = {"schemaVersion": "1.0", "items": [{"id": "cam.*", "filter": {"tail": 1}}], "encoding": "none"}
        first = log.read_text()
        assert call(hub, "GetModuleLogs", asked) == (200, [{"id": "camera", "payloadBytes": None, "payload": first}])
        assert call(hub, "RestartModule", {"schemaVersion": "1.0", "id": "camera"}) == (200, None)
        wait_until(lambda: log.read_text().count("ready") == 2, what="the process started anew")
        assert log.read_text().split()[1] != log.read_text().split()[3]


@pytest.mark.parametrize(
    ("method", "payload", "status", "says"),
    [
        ("UploadSupportBundle", {}, 400, "supported commands are - ping,GetModuleLogs,RestartModule"),
        ("GetModuleLogs", None, 400, "Request payload not found"),
        ("GetModuleLogs", {"schemaVersion": "1.0"}, 400, "`items`"),
        ("GetModuleLogs", {"schemaVersion": "1.0", "items": {"id": "("}}, 400, "not a regular expression"),
        ("RestartModule", {"id": "camera"}, 400, "`schemaVersion`"),
        ("RestartModule", {"schemaVersion": "1.0", "id": "away"}, 500, "Module away not found"),
    ],
    ids=["not served", "no payload", "no items", "bad expression", "no version", "not supervised"],
)
def test_a_wrong_request_gets_edge_agents_status_and_a_message(
    hub: HubProcess, tmp_path: Path, method: str, payload: dict[str, Any] | None, status: int, says: str
) -> None:
    with supervising(hub, tmp_path):
        answered, told = call(hub, method, payload)
    assert answered == status
    assert says in told["message"]


def test_a_module_that_connects_as_the_agent_is_asked_itself(hub: HubProcess, tmp_path: Path) -> None:
    from azure.iot.device import MethodResponse

    with supervising(hub, tmp_path):
        client = hub.client(AGENT)
        client.on_method_request_received = lambda request: client.send_method_response(
            MethodResponse.create_from_method_request(request, 200, {"own": True})
        )
        client.connect()
        assert call(hub, "ping") == (200, {"own": True})
