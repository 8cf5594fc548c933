"""Pages that say where to read name files that are there, and every decision is in the index."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vigie_devkit.images.catalogue import MODULES

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "docs/decisions"


def test_every_file_of_the_architecture_page_exists() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:modules|shared|devkit)/[^`]+\.py)`", page)
    assert len(named) > 35
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_decision_is_in_the_index_under_its_title_and_every_gap_is_named() -> None:
    index = (RECORDS / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[(\d{4})\]\([^)]+\) \| (.+) \|$", index, flags=re.MULTILINE))
    titles = {}
    for file in RECORDS.glob("0*.md"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        titles[file.name[:4]] = re.sub(r"^#\s*\d+[:.]\s*", "", first)
        assert f"({file.name})" in index, file.name
    assert listed == titles
    numbers = range(1, int(max(titles)))
    unused = [f"{number:04d}" for number in numbers if f"{number:04d}" not in titles]
    assert re.findall(r"\d{4}", index.rpartition("never used:")[2]) == unused


def test_every_fact_of_edgehub_that_the_code_cites_has_its_heading() -> None:
    page = (ROOT / "docs/edgehub-facts.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.+)$", page, flags=re.MULTILINE))
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "devkit/edgehub/src/vigie_edgehub").rglob("*.py")]
    cited = {found for text in code for found in re.findall(r"docs/edgehub-facts\.md, ([A-Z][A-Za-z ]*[a-zA-Z])", text)}
    assert len(cited) > 6
    assert {one for one in cited if one not in headings} == set()
    assert [text for text in code if "edgehub.md" in text] == []


@pytest.mark.parametrize(
    ("page", "folder"),
    [
        ("devkit/README.md", "devkit/src/vigie_devkit"),
        ("shared/README.md", "shared/src/vigie"),
        ("devkit/edgehub/README.md", "devkit/edgehub/src/vigie_edgehub"),
    ],
)
def test_the_page_of_a_house_names_its_rooms_and_no_others(page: str, folder: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", text, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)/`", row)
    }
    rooms = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
    assert named <= rooms, named - rooms
    assert rooms <= named, rooms - named


def test_every_module_can_be_started_under_a_debugger_against_the_hub_for_debugging() -> None:
    configurations = json.loads((ROOT / ".vscode/launch.json").read_text(encoding="utf-8"))["configurations"]
    tasks = {
        task["label"]: task for task in json.loads((ROOT / ".vscode/tasks.json").read_text(encoding="utf-8"))["tasks"]
    }
    by_module = {one["module"]: one for one in configurations}
    for module in MODULES:
        one = by_module[f"vigie_{module}"]
        command = tasks[one["preLaunchTask"]]["command"]
        assert f"hub env {module} --dotenv" in command
        assert one["envFile"].endswith(command.rpartition("> ")[2])
        assert tasks[one["preLaunchTask"]]["dependsOn"] in tasks
