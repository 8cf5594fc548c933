"""What an editor is offered, in the dev container and outside: each names things that exist."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import Any

import pytest

from support.docs_commands import ROOT
from vigie_devkit.cli import COMMANDS
from vigie_devkit.images.catalogue import MODULES

# Azure IoT Edge Dev Tool's extensions and what they needed.
RETIRED = ("vsciot-vscode", "iotedgedev", "iotedgehubdev")


def read(name: str) -> Any:
    """JSON with comments on lines of their own, as editors read it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


TASKS = {task["label"]: task for task in read(".vscode/tasks.json")["tasks"]}
LAUNCHES = read(".vscode/launch.json")["configurations"]


def test_the_container_is_built_of_files_that_exist_and_recommends_nothing_retired() -> None:
    container = read(".devcontainer/devcontainer.json")
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).is_file()
    assert (ROOT / container["onCreateCommand"].removeprefix("sudo ")).is_file()
    extensions = container["customizations"]["vscode"]["extensions"]
    assert {"ms-python.python", "ms-azuretools.vscode-docker"} <= set(extensions)
    files = [*(ROOT / ".devcontainer").iterdir(), *(ROOT / ".vscode").iterdir()]
    assert [word for word in RETIRED for file in files if word in file.read_text(encoding="utf-8").lower()] == []


def test_a_task_runs_a_command_that_exists() -> None:
    words = [word for task in TASKS.values() for word in re.findall(r"\./vigie (\w+)", task["command"])]
    assert words
    assert set(words) <= set(COMMANDS)
    assert {task["dependsOn"] for task in TASKS.values() if "dependsOn" in task} <= set(TASKS)


@pytest.mark.parametrize("launch", LAUNCHES, ids=lambda one: one["name"])
def test_a_launch_names_a_program_and_a_task_that_exist(launch: dict[str, Any]) -> None:
    assert importlib.util.find_spec(launch["module"]) is not None
    assert launch.get("preLaunchTask", "vigie up") in TASKS


def test_every_module_can_be_debugged() -> None:
    assert {f"vigie_{name}" for name in MODULES} <= {launch["module"] for launch in LAUNCHES}
