"""The snippets of docs/library.md and README.md run as printed where only ``./shared[vision,runtimes]`` is there."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from packaging.requirements import Requirement

from vigie.synthetic import open_scene
from vigie_devkit.local.paths import CHECKOUT

EXTRAS = {"vision", "runtimes"}
# What the interpreter is started with: no site-packages but those that the extras bring.
START = "import sys; sys.path[:] = {path!r}; exec(compile(open({file!r}).read(), {file!r}, 'exec'))"


def closure() -> set[str]:
    """The distributions that ``pip install ./shared[vision,runtimes]`` brings, by what each says that it needs."""
    found: set[str] = set()
    waiting = [("vigie", frozenset(EXTRAS))]
    while waiting:
        name, extras = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((need.name.lower(), frozenset(need.extras)))
    return found


def install(folder: Path) -> None:
    """Links to the top-level files and folders of those distributions, and of no other."""
    for name in closure() - {"vigie"}:
        for file in importlib.metadata.files(name) or []:
            # Where the distribution itself lies: the engines' environment is laid over the usual one.
            top, site = file.parts[0], Path(str(file.locate())).parents[len(file.parts) - 1]
            if top != ".." and not (folder / top).exists() and (site / top).exists():
                (folder / top).symlink_to(site / top)


def snippets() -> list[tuple[str, str]]:
    pages = [CHECKOUT / "docs/library.md", CHECKOUT / "README.md"]
    return [
        (page.name, block)
        for page in pages
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        if "open_model" in block
    ]


@pytest.mark.parametrize(("page", "code"), snippets(), ids=[page for page, _ in snippets()])
def test_a_snippet_runs_as_printed_where_nothing_else_is_installed(tmp_path: Path, page: str, code: str) -> None:
    del page
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    (tmp_path / "shared").symlink_to(CHECKOUT / "shared")
    cv2.imwrite(str(tmp_path / "belt.jpg"), open_scene("synthetic://conveyor?seed=7").render(40))
    (tmp_path / "snippet.py").write_text(code)
    path = [*(part for part in sys.path if part.startswith(sys.base_prefix) and "site-packages" not in part)]
    path += [str(CHECKOUT / "shared/src"), str(tmp_path / "site")]
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START.format(path=path, file="snippet.py")],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"cpu/\S+/\d+t", ran.stdout), "it says what ran"
    assert re.search(r"[a-z]+ 0\.[4-9]\d* [\[(]|at \[", ran.stdout), "it found parts on the belt"


def test_what_the_environment_lacks_is_really_absent(tmp_path: Path) -> None:
    """The control: without it the snippets could lean on whatever a developer has installed."""
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    code = f"import sys; sys.path.append({str(tmp_path / 'site')!r}); import onnx"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert "No module named 'onnx'" in ran.stderr
