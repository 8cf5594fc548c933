"""Every command that README and docs show is walked, tested elsewhere, or cannot run here: tests/docs_walk.txt."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.docs_commands import ROOT, all_commands, commands_of
from support.docs_walk import Registry, registry
from vigie.config.schema import decode_config
from vigie.models import load_bundle
from vigie_inference.config import InferenceConfig

WALK = registry()


def known(walk: Registry) -> set[str]:
    return {step.do for one in walk.sessions for step in one.steps} | set(walk.tested) | set(walk.not_here)


def is_known(text: str, walk: Registry) -> bool:
    return text in known(walk) or any(_begins(text, one) for one in walk.not_here)


def _begins(text: str, pattern: str) -> bool:
    return pattern.endswith("*") and text.startswith(pattern.removesuffix("*"))


def test_no_page_shows_a_command_that_nothing_walks() -> None:
    unknown = [str(one) for one in all_commands() if not is_known(one.text, WALK)]
    assert unknown == [], "add them to tests/docs_walk.txt"


def test_nothing_is_walked_that_no_page_shows() -> None:
    shown = {one.text for one in all_commands()}
    stale = [one for one in known(WALK) if one not in shown and not any(_begins(text, one) for text in shown)]
    assert stale == []


def test_a_test_that_runs_commands_of_the_pages_exists() -> None:
    assert [one for one in set(WALK.tested.values()) if not (ROOT / one).is_file()] == []


def test_every_test_that_a_command_names_exists() -> None:
    named = {path for one in all_commands() for path in re.findall(r"\btests/[\w./-]*", one.text)}
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_only_what_cannot_run_here_is_named_by_its_beginning() -> None:
    assert [one for one in known(WALK) - set(WALK.not_here) if one.endswith("*")] == []


@pytest.mark.parametrize(
    ("page", "commands"),
    [
        ("```sh\nany --thing  # why\n# only a comment\n```\n", ["any --thing"]),
        ('```\n./vigie up \\\n    --json\n{"shown": 1}\n```\n', ["./vigie up \\\n    --json"]),
        ("    ./vigie logs '#1'   # the first\n", ["./vigie logs '#1'"]),
        ("    $ ./vigie doctor\n    machine: x\n", ["./vigie doctor"]),
        ("    ./vigie twin set sync '{\"a\":\n        1}'\n", ["./vigie twin set sync '{\"a\":\n    1}'"]),
        ("```sh\ncat >x <<'END'\n$ y\nEND\nls\n```\n", ["cat >x <<'END'\n$ y\nEND", "ls"]),
        ('```json\n{"docker ": 1}\n```\n\nprose ./vigie up\n', []),
    ],
)  # fmt: skip
def test_commands_are_read_as_a_shell_would(page: str, commands: list[str]) -> None:
    assert [text for _, text in commands_of(page)] == commands


def test_every_page_that_a_reader_is_sent_to_is_walked() -> None:
    pages = {one.page for one in all_commands()}
    assert {"README.md", "CONTRIBUTING.md", "deploy/README.md", "docs/deploy.md", "docs/hub.md"} <= pages
    assert Path("docs/models.md").name in {Path(page).name for page in pages}


def test_a_twin_edit_of_the_readme_is_accepted_by_the_model_that_ships() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    labels = set(load_bundle(ROOT / "shared/models/conveyor-parts").card.labels)
    edits = re.findall(r"\./vigie twin set inference '([^']*)'", text)
    assert edits
    for edit in edits:
        config = decode_config(InferenceConfig, json.loads(edit))
        assert set(config.classes or ()) <= labels, edit
