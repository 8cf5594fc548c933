"""docs/hub.md says what is there: its commands parse, its paths are served, the tests that it names exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.cli import parser_for
from vigie_edgehub.ports import Misbehaviour
from vigie_edgehub.service import configuration, faults, identities, methods, recorded, search, twins

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/hub.md").read_text(encoding="utf-8")
CASES = re.findall(r"^\| (\d+) \| [^|]+ \| (.+) \|$", PAGE, flags=re.MULTILINE)


def command_lines() -> Iterator[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    for block in [text for language, text in blocks if not language]:
        for line in block.splitlines():
            for found in re.findall(r"\./vigie ([^#|>)&;]+)", line):
                yield found.strip().rstrip('"').strip()


def test_every_command_of_the_page_is_one() -> None:
    lines = list(command_lines())
    assert len(lines) >= 10
    for line in lines:
        words = shlex.split(line)
        _, rest = parser_for(words).parse_known_args(words)
        assert rest == [], line


def test_every_option_of_misbehaviour_is_on_the_page() -> None:
    named = {"upstream_online": "--upstream offline"}
    for field in Misbehaviour.__struct_fields__:
        option = named.get(field, "--" + field.removesuffix("_ms").replace("_", "-"))
        assert f"`{option}" in PAGE, option


def test_every_path_that_is_served_is_on_the_page() -> None:
    from aiohttp import web

    app = web.Application()
    for part in (twins, methods, identities, configuration, search, faults, recorded):
        part.add_routes(app)
    page = PAGE.replace("[/modules/{device}]", "")
    for resource in app.router.resources():
        path = resource.canonical
        if "tail" in path or path in {"/configurations", "/twins/{device}/methods"}:
            continue  # answered 501 and 404: not served
        known = path.replace("/twins/{device}/modules/{module}", "/twins/{device}[/modules/{module}]")
        assert f"`{path}" in page or f"`{known}" in page or f" {path}" in page or f" {known}" in page, path


def test_every_case_is_listed_once() -> None:
    assert [int(number) for number, _ in CASES] == list(range(1, 66))


@pytest.mark.parametrize(("case", "held_by"), CASES, ids=[number for number, _ in CASES])
def test_every_case_is_held_by_tests_that_exist_or_left_out_with_a_reason(case: Any, held_by: Any) -> None:
    if held_by.startswith("left out: "):
        return
    named = re.findall(r"`([^`:]+)::(\w+)`", held_by)
    assert named
    for path, name in named:
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), name
