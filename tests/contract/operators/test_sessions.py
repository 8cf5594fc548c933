"""Ten sessions of an operator at a camera module, by the acknowledgements that they read.

Hub and module are processes, as `./vigie up` starts them; the operator uses `./vigie twin`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.hub import HubProcess
from support.service_side import manifest, served_hub, wait_until
from vigie_devkit.cli import main
from vigie_edgehub.environment import module_environment

SOURCE = "synthetic://conveyor?seed=1&size=160x120&fps=2"
Ack = dict[str, Any]
Twin = Callable[..., tuple[int, dict[str, Any], str]]


@contextmanager
def camera(hub: HubProcess, folder: Path) -> Iterator[None]:
    environment = {
        **module_environment(hub.state / "hub.json", "camera"),
        "VIGIE_STATE": str(folder / "state"),
        "VIGIE_FRAMES": str(folder / "frames"),
        "VIGIE_HTTP": "127.0.0.1:0",
        "VIGIE_SECRETS": str(folder / "secrets"),
        "PATH": "/usr/bin:/bin",
    }
    with (folder / "camera.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "vigie_camera"], env=environment, stdout=log, stderr=log, cwd=folder
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("operator")
    (folder / "frames").mkdir()
    with served_hub(folder, manifest("camera", "sync")) as served:
        # Session "during start-up": this edit is there before the module is.
        patch = {"cameras": {"early": {"source": SOURCE}}, "no_such_key": 1}
        served.service().patch_twin("camera", {"properties": {"desired": patch}})
        with camera(served, folder):
            wait_until(lambda: "cameras" in served.service().twin("camera")["properties"]["reported"])
            yield served


@pytest.fixture
def twin(hub: HubProcess, capsys: pytest.CaptureFixture[str]) -> Twin:
    def command(*words: str, module: str = "camera") -> tuple[int, dict[str, Any], str]:
        """Exit code, what was printed, and what was complained about."""
        code = main(["twin", words[0], module, *words[1:], "--state", str(hub.state)])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out.strip() else {}, said.err

    return command


def change(twin: Twin, patch: dict[str, Any]) -> tuple[int, dict[str, Ack]]:
    code, acks, errors = twin("set", json.dumps(patch), "--wait", "60")
    assert acks, errors
    return code, acks


def reported(twin: Twin) -> dict[str, Any]:
    return twin("get", "--reported")[1]


def test_an_edit_made_before_the_module_started_is_acknowledged(twin: Twin) -> None:
    found = reported(twin)
    assert (found["cameras"]["ac"], found["no_such_key"]["ac"]) == (200, 400)
    assert found["cameras"]["value"]["early"]["source"] == SOURCE
    change(twin, {"no_such_key": None, "cameras": {"early": None}})
    wait_until(lambda: "no_such_key" not in reported(twin))


def test_a_good_edit_is_acknowledged_with_its_version(twin: Twin) -> None:
    code, acks = change(twin, {"linger_ms": 5})
    assert (code, acks["$.linger_ms"]["ac"], acks["$.linger_ms"]["value"]) == (0, 200, 5)
    assert acks["$.linger_ms"]["av"] == twin("get", "--desired")[1]["$version"]


def test_a_bad_edit_keeps_what_is_in_force_and_says_what_is_allowed(twin: Twin) -> None:
    change(twin, {"linger_ms": 5})
    code, acks = change(twin, {"linger_ms": 900})
    assert (code, acks["$.linger_ms"]["ac"], acks["$.linger_ms"]["value"]) == (1, 400, 5)
    assert acks["$.linger_ms"]["ad"] == "$.linger_ms: expected a number, at least 0 and at most 200, got 900"


def test_two_mistakes_are_both_named(twin: Twin) -> None:
    code, acks = change(twin, {"linger_ms": "soon", "cameras": {"dock": {"source": SOURCE, "fsp": 3}}})
    assert (code, acks["$.linger_ms"]["ac"], acks["$.cameras"]["ac"]) == (1, 400, 400)
    assert "$.cameras.dock.fsp: unknown property; did you mean 'fps'?" in acks["$.cameras"]["ad"]
    change(twin, {"linger_ms": None, "cameras": {"dock": None}})


def test_a_deleted_camera_leaves_the_report_and_a_deleted_property_is_acknowledged(twin: Twin) -> None:
    change(twin, {"cameras": {"a": {"source": SOURCE}, "b": {"source": SOURCE}}, "linger_ms": 7})
    code, acks = change(twin, {"cameras": {"a": None}, "linger_ms": None})
    assert (code, acks["$.cameras"]["ac"], acks["$.linger_ms"]["ac"]) == (0, 200, 200)
    assert set(acks["$.cameras"]["value"]) == {"b"}
    assert (acks["$.linger_ms"]["value"], acks["$.linger_ms"]["ad"]) == (0, "not set: the default is in force")


def test_of_two_operators_the_one_with_an_old_view_is_told(twin: Twin) -> None:
    old = twin("get")[1]["etag"]
    change(twin, {"linger_ms": 3})
    code, _, errors = twin("set", '{"linger_ms": 4}', "--etag", old)
    assert code == 1
    assert "etag" in errors.lower()
    assert reported(twin)["linger_ms"]["value"] == 3


def test_an_unknown_key_does_not_hold_up_a_good_one_nor_the_next_edit(twin: Twin) -> None:
    code, acks = change(twin, {"linger": 4, "linger_ms": 4})
    assert (code, acks["$.linger"]["ac"], acks["$.linger_ms"]["ac"]) == (1, 400, 200)
    assert acks["$.linger"]["ad"] == "$.linger: unknown property; did you mean 'linger_ms'?"
    code, acks = change(twin, {"linger_ms": 6})
    assert (code, acks["$.linger_ms"]["value"]) == (0, 6)
    change(twin, {"linger": None, "linger_ms": None})


def test_a_module_that_does_not_exist_is_no_module(twin: Twin) -> None:
    code, _, errors = twin("set", '{"linger_ms": 4}', "--wait", "5", module="cammera")
    assert code == 1
    assert "cammera" in errors


def test_an_edit_that_is_too_large_is_refused_and_changes_nothing(twin: Twin) -> None:
    before = twin("get", "--desired")[1]["$version"]
    cameras = {f"c{number}": {"source": "rtsp://192.0.2.1/" + "x" * 2000} for number in range(20)}
    code, _, errors = twin("set", json.dumps({"cameras": cameras}))
    assert code == 1
    assert "32768" in errors.replace(",", "").replace(" ", "")
    assert twin("get", "--desired")[1]["$version"] == before


def test_a_roll_back_is_an_edit_like_any_other_and_the_report_says_what_it_changed(twin: Twin) -> None:
    change(twin, {"linger_ms": 10})
    change(twin, {"linger_ms": 20})
    code, acks = change(twin, {"linger_ms": 10})
    assert (code, acks["$.linger_ms"]["value"]) == (0, 10)
    wait_until(lambda: reported(twin).get("last_change", {}).get("version") == acks["$.linger_ms"]["av"])
    assert reported(twin)["last_change"]["changed"] == [{"path": "$.linger_ms", "from": "20.0", "to": "10.0"}]
