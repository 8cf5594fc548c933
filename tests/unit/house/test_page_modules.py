"""The viewer's page has no build that would notice: its modules are there, in one direction, and of a size to read."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "modules/viewer/src/vigie_viewer/page"
FILES = {path.relative_to(PAGE).as_posix(): path.read_text(encoding="utf-8") for path in PAGE.glob("*.js")}
IMPORT = re.compile(r'^(?:import|export) .*?from "\./([^"]+)";$', re.MULTILINE)
LINES_MAX = 400


def imports(name: str) -> list[str]:
    return [found for found in IMPORT.findall(FILES[name]) if not found.startswith("vendor/")]


def reached(name: str) -> set[str]:
    found: set[str] = set()
    waiting = imports(name)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += imports(one)
    return found


def test_no_module_of_the_page_imports_itself_by_way_of_others() -> None:
    assert [name for name in FILES if name in reached(name)] == []


def test_every_module_of_the_page_is_there_and_belongs_to_it() -> None:
    assert reached("app.js") | {"app.js"} == FILES.keys()
    vendored = {found for text in FILES.values() for found in IMPORT.findall(text) if found.startswith("vendor/")}
    assert all((PAGE / name).is_file() for name in vendored)


def test_what_the_page_loads_ahead_is_there() -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    ahead = set(re.findall(r'href="/assets/([^"]+)"', index))
    assert {"app.css", "store.js"} <= ahead
    assert [name for name in ahead if not (PAGE / name).is_file()] == []


def test_no_file_of_the_page_is_too_long_to_read() -> None:
    lengths = {name: text.count("\n") for name, text in FILES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}
