"""The dependency rule of the house, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = ROOT / "shared/src/vigie"
MODULES = ("camera", "preprocess", "inference", "sync", "viewer", "actions", "evidence")
HUB = ROOT / "devkit/edgehub/src"
KIT = ("vigie_devkit", "vigie_edgehub")


def imports_of(path: Path, package: str) -> Iterator[str]:
    """Absolute names of what ``path`` imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def offenders(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in imports_of(path, "")
        if any(name == bad or name.startswith(bad + ".") for bad in forbidden)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_no_other_module_and_no_devkit(module: str) -> None:
    others = tuple(f"vigie_{name}" for name in MODULES if name != module)
    assert offenders(ROOT / f"modules/{module}/src", (*others, *KIT)) == []


def test_the_library_imports_no_module_and_no_devkit() -> None:
    assert offenders(SHARED, (*(f"vigie_{name}" for name in MODULES), *KIT)) == []


def test_the_hub_imports_nothing_of_the_rest_of_the_dev_kit_and_no_module() -> None:
    assert offenders(HUB, (*(f"vigie_{name}" for name in MODULES), "vigie_devkit")) == []


def test_vision_imports_neither_messaging_nor_runtimes() -> None:
    assert offenders(SHARED / "vision", ("vigie.messaging", "vigie.runtimes", "vigie.service")) == []


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("onnxruntime", SHARED / "runtimes"),
        ("openvino", SHARED / "runtimes"),
        ("azure.iot.device", SHARED / "messaging"),
    ],
)
def test_a_runtime_library_is_imported_in_one_place_only(library: str, home: Path) -> None:
    places = [SHARED, *(ROOT / f"modules/{module}/src" for module in MODULES)]
    found = [line for place in places for line in offenders(place, (library,))]
    assert found, f"nothing imports {library}: the rule guards nothing"
    assert [line for line in found if not line.startswith(str(home.relative_to(ROOT)))] == []


@pytest.mark.parametrize("module", ["inference", "sync", "actions"])
def test_modules_without_opencv_stay_without_it(module: str) -> None:
    assert offenders(ROOT / f"modules/{module}/src", ("cv2",)) == []


def test_the_rooms_of_the_runtimes_build_on_one_another_in_one_direction() -> None:
    rooms = ("providers", "hardware", "engines", "measuring", "choosing")
    for place, room in enumerate(rooms):
        assert (SHARED / "runtimes" / room).is_dir(), room
        above = tuple(f"vigie.runtimes.{later}" for later in rooms[place + 1 :])
        assert offenders(SHARED / "runtimes" / room, above) == []


def test_nothing_builds_on_the_benchmarks() -> None:
    devkit = ROOT / "devkit/src/vigie_devkit"
    inside = (str((devkit / "bench").relative_to(ROOT)), "devkit/src/vigie_devkit/commands/bench.py")
    assert [line for line in offenders(devkit, ("vigie_devkit.bench",)) if not line.startswith(inside)] == []


def test_there_is_no_cycle_of_imports() -> None:
    roots = [SHARED.parent, HUB, ROOT / "devkit/src", *(ROOT / f"modules/{module}/src" for module in MODULES)]
    files = {module_name(path, root): path for root in roots for path in sources(root)}
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        graph[name] = {found for found in top_level_imports(path, package) if found in files and found != name}
    assert cycles(graph) == []


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top_level_imports(path: Path, package: str) -> Iterator[str]:
    """Imports outside functions; those under ``if TYPE_CHECKING`` tie two files together as much as any other."""
    for node in outside_functions(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}"
            yield base


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for inner in ast.iter_child_nodes(node):
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from outside_functions(inner)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    found: list[list[str]] = []
    state: dict[str, int] = {}

    def visit(node: str, path: list[str]) -> None:
        state[node] = 1
        for after in sorted(graph[node]):
            # A package that re-exports its own parts is not a cycle between ideas.
            if node.startswith(after + ".") or after.startswith(node + "."):
                continue
            if state.get(after) == 1:
                found.append([*path[path.index(after) :], after] if after in path else [node, after])
            elif after not in state:
                visit(after, [*path, after])
        state[node] = 2

    for node in sorted(graph):
        if node not in state:
            visit(node, [node])
    return found
