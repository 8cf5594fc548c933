"""The hub's command line, as the environment of who starts it wants it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.programs import GATEWAY, hub_program


def test_modules_reach_the_hub_by_its_address_unless_something_stands_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GATEWAY, raising=False)
    command = hub_program(RunPaths(tmp_path, "local"), "127.64.1.2").command
    assert command[-2:] == ["--listen", "127.64.1.2"]
    monkeypatch.setenv(GATEWAY, "127.64.1.9")
    assert hub_program(RunPaths(tmp_path, "local"), "127.64.1.2").command == [
        *command[:-2], "--gateway-hostname", "127.64.1.9", "--listen", "127.64.1.2",
    ]  # fmt: skip
