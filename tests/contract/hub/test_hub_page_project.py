"""The project that docs/hub.md offers to try the hub with, run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.hub import running_hub, wait_until
from support.node import INSTALL_S, node_folder
from vigie_devkit.hub.service.client import ServiceClient

pytestmark = pytest.mark.timeout(INSTALL_S + 300)
PAGE = (Path(__file__).parents[3] / "docs/hub.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code block that follows the file's name."""
    found = re.search(rf"^`{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/hub.md has no {name}"
    return found[1]


@pytest.fixture
def hub(tmp_path):
    with running_hub(tmp_path / "hub", json.loads(block("deployment.json"))) as hub:
        yield hub


@pytest.fixture(params=["thermometer.py", "thermometer.js"])
def project(request, hub, tmp_path):
    """Both modules, each as a process of its own; the sender in two languages."""
    processes = []
    for module, file in (("filter", "my_filter.py"), ("thermometer", request.param)):
        folder, program = (node_folder(), "node") if file.endswith(".js") else (tmp_path, sys.executable)
        (folder / file).write_text(block(file), encoding="utf-8")
        environment = os.environ | hub.environment(module)
        processes.append(subprocess.Popen([program, folder / file], env=environment))
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_the_project_of_the_page_does_what_the_page_says(hub, project):
    service = ServiceClient.open(hub.state)

    def reported() -> int | None:
        return service.twin("filter")["properties"]["reported"].get("threshold", {}).get("value")

    wait_until(lambda: service.status()["upstream"].get("messages"), 60, "an alert at $upstream")
    assert reported() == 25
    service.patch_twin("filter", {"properties": {"desired": {"threshold": 30}}})
    wait_until(lambda: reported() == 30, 30, "the acknowledgement of the threshold")
    answer = service.invoke_method("filter", "reset", b"{}")
    assert (answer.status, json.loads(bytes(answer.payload))) == (200, {"reset": True})
