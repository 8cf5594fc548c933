"""Whatever a module can name by a code, the page has words for: no reader meets `queue_full`."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from vigie.contracts.events import CameraChanged, EventItem
from vigie.drop_reason import DropReason
from vigie.ledger.bounds import Drop
from vigie_camera.cause import Cause
from vigie_inference.update.report import Phase

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "modules/viewer/src/vigie_viewer/page"
SOURCES = [path for folder in ("modules", "shared") for path in (ROOT / folder).glob("**/src/**/*.py")]
# Every kind of leaf becomes 1: what is asked is whether there are words.
SHOW = """
const { t } = await import(process.argv[1]);
console.log(JSON.stringify(t, (_, value) => typeof value === "object" ? value : 1));
"""


@cache
def page_words() -> dict[str, Any]:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    command = ["node", "--input-type=module", "-e", SHOW, (PAGE / "strings.en.js").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    words: dict[str, Any] = json.loads(done.stdout)
    return words


def literals(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from literals(body)
            yield from literals(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from literals(value)


def test_every_reason_for_a_drop_has_words_and_no_words_are_left_over() -> None:
    reasons = {one.value for kind in (Drop, DropReason) for one in kind}
    assert sorted(reasons ^ page_words()["drops"].keys()) == []


def test_every_reason_for_a_drop_is_one_that_a_module_gives() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert [one.name for one in DropReason if f"DropReason.{one.name}" not in text] == []


def test_every_cause_of_an_outage_and_every_phase_of_an_update_has_words() -> None:
    assert sorted({one.value for one in Cause} - page_words()["causes"].keys()) == []
    assert sorted(set(get_args(Phase)) - {"idle"} - page_words()["update"]["phase"].keys()) == []


def test_every_code_of_the_timeline_has_words() -> None:
    codes: set[str] = set()
    for name in ("timeline", "overview", "edits"):
        tree = ast.parse((ROOT / f"modules/viewer/src/vigie_viewer/{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            at = {"Event": 1, "event": 0, "self._edited": 0}.get(called)
            if at is not None:
                codes |= set(literals(node.args[at]))
    assert {"restarted", "camera", "hub_away", "applied"} <= codes
    assert sorted(codes - page_words()["events"].keys()) == []


def test_every_type_of_event_that_sync_tells_has_words() -> None:
    told = (PAGE / "happened.js").read_text(encoding="utf-8")
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(EventItem)} - {"aggregate"}  # the viewer skips those
    assert sorted(kinds - set(re.findall(r'case "([a-z-]+)":', told))) == []
    what = get_args(next(one.type for one in msgspec.structs.fields(CameraChanged) if one.name == "what"))
    assert sorted(set(what) - page_words()["told"]["changed"].keys()) == []
    assert sorted(set(re.findall(r"words\.(\w+)", told)) - page_words()["told"].keys()) == []
