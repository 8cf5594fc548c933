"""The project that docs/hub.md offers to try the hub with, run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.hub import HubProcess, running_hub, wait_until
from support.node import INSTALL_S, node_folder
from vigie_edgehub.service.client import ServiceClient

pytestmark = pytest.mark.timeout(INSTALL_S + 300)
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/hub.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code block that follows the file's name."""
    found = re.search(rf"^`{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/hub.md has no {name}"
    return found[1]


def block_after(words: str) -> str:
    found = re.search(rf"{re.escape(words)}\n\n```\w+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/hub.md has no block after {words!r}"
    return found[1]


def commands_after(words: str) -> list[str]:
    """The command lines of the code block that follows ``words``."""
    found = re.search(rf"{re.escape(words)}\n\n```\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/hub.md has no commands after {words!r}"
    return found[1].splitlines()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with running_hub(tmp_path / "hub", json.loads(block("deployment.json"))) as hub:
        yield hub


@pytest.fixture(params=["thermometer.py", "thermometer.js"])
def project(request: Any, hub: HubProcess, tmp_path: Path) -> Iterator[list[Any]]:
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


def test_the_project_of_the_page_does_what_the_page_says(hub: HubProcess, project: list[Any]) -> None:
    service = ServiceClient.open(hub.state)

    def reported() -> int | None:
        return service.twin("filter")["properties"]["reported"].get("threshold", {}).get("value")

    wait_until(lambda: service.status()["upstream"].get("messages"), 60, "an alert at $upstream")
    assert reported() == 25
    service.patch_twin("filter", {"properties": {"desired": {"threshold": 30}}})
    wait_until(lambda: reported() == 30, 30, "the acknowledgement of the threshold")
    answer = service.invoke_method("filter", "reset", b"{}")
    assert (answer.status, json.loads(bytes(answer.payload))) == (200, {"reset": True})


def test_the_leaf_device_of_the_page_does_what_the_page_says(hub: HubProcess, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "vigie").symlink_to(ROOT / "vigie")
    (folder / "hub-state").symlink_to(hub.state)
    for name in ("pump.py", "my_filter.py"):
        (folder / name).write_text(block(name), encoding="utf-8")
    (folder / "with-devices.json").write_text(block_after("`with-devices.json`:"), encoding="utf-8")
    lines = commands_after("With a hub on `--state hub-state` and `my_filter.py` running:")
    background: list[subprocess.Popen[str]] = []

    def run(line: str) -> str:
        if line.startswith("python ") and line.endswith(" &"):
            words = [sys.executable, *line.split()[1:-1]]
            background.append(subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True))
            return ""
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    environment = os.environ | hub.environment("filter")
    background.append(subprocess.Popen([sys.executable, folder / "my_filter.py"], env=environment, text=True))
    try:
        for line in lines:
            if "--follow" in line:  # it never ends: what it shows is looked at once it is there
                wait_until(lambda: hub.service().status()["upstream"].get("messages"), 60, "an alert of the device")
            shown = run(line.replace(" --follow", ""))
            if " upstream tail " in line:
                assert "filter/alerts" in shown
            elif " method " in line:
                assert json.loads(shown) == {"opened": 3}
            elif " twin get " in line:
                wait_until(lambda: json.loads(run(lines[-1])).get("rate") == 5, 30, "the reported rate")
        pump = background[1].stdout
        assert pump is not None
        assert pump.readline() == """from the cloud: {"valve": "open"} {'by': 'me'}\n"""
    finally:
        for process in background:
            process.kill()
            process.wait()
