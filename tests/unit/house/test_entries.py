"""Every module begins alike: ``__main__`` is a table of contents, ``wiring`` says what is connected to what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINES_MAX = 30


@pytest.mark.parametrize("path", sorted(ROOT.glob("modules/*/src/*/__main__.py")), ids=lambda path: path.parent.name)
def test_the_entry_of_a_module_is_a_table_of_contents(path: Path) -> None:
    text, name = path.read_text(encoding="utf-8"), path.parent.name.removeprefix("vigie_")
    tree = ast.parse(text)
    assert text.startswith(f'"""The {name} module, as a table of contents."""\n')
    assert len(text.splitlines()) <= LINES_MAX
    assert [one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)] == ["main"]
    wiring = ast.parse((path.parent / "wiring.py").read_text(encoding="utf-8"))
    runs = [one.name for one in wiring.body if isinstance(one, ast.AsyncFunctionDef)]
    assert runs[:1] == [f"run_{name}"]
    last = ast.unparse(next(one for one in ast.walk(tree) if isinstance(one, ast.AsyncFunctionDef)).body[-1])
    assert last.splitlines()[-1].strip().startswith(f"await run_{name}(service")
    assert f"raise SystemExit(run_module(names.{name.upper()}, main" in text.splitlines()[-1]
