"""What the build stage leaves out of packages, and that equal contents become equal bytes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy/image/assemble.py"
SPEC = importlib.util.spec_from_file_location("assemble", SCRIPT)
assemble = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(assemble)


def written(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("# something\n")
    return folder


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("numpy/__init__.py", True),
        ("numpy/_core/tests/test_x.py", False),
        ("numpy/_core/include/numpy/arrayobject.h", False),
        ("numpy/testing/__init__.py", True),
        ("numpy/__init__.pyi", False),
        ("onnxruntime/quantization/quantize.py", False),
        ("onnxruntime/capi/x.so", True),
        ("cv2/LICENSE-3RD-PARTY.txt", True),
        ("pkg/NOTICE.c", True),
        ("pkg/tests_of_ours.py", True),
        ("pkg-1.0.dist-info/licenses/tests/LICENSE", True),
    ],
)
def test_tests_headers_and_tools_go_and_licences_stay(tmp_path: Path, name: str, stays: bool) -> None:
    assemble.remove_unused(written(tmp_path, name))
    assert (tmp_path / name).exists() is stays


def test_the_inventory_of_a_package_lists_what_is_left(tmp_path: Path) -> None:
    written(tmp_path, "numpy/a.py", "numpy/tests/b.py", "numpy-1.dist-info/METADATA")
    record = tmp_path / "numpy-1.dist-info/RECORD"
    record.write_text('numpy/a.py,sha256=x,1\nnumpy/tests/b.py,sha256=y,1\n"numpy-1.dist-info/RECORD",,\n')
    assemble.remove_unused(tmp_path)
    assert record.read_text().splitlines() == ["numpy/a.py,sha256=x,1", "numpy-1.dist-info/RECORD,,"]


def test_where_the_build_stage_had_a_wheel_is_not_told(tmp_path: Path) -> None:
    written(tmp_path, "numpy-1.dist-info/METADATA", "numpy-1.dist-info/direct_url.json")
    (tmp_path / "numpy-1.dist-info/RECORD").write_text("numpy-1.dist-info/direct_url.json,sha256=x,1\n")
    assemble.forget_origin(tmp_path)
    assert not (tmp_path / "numpy-1.dist-info/direct_url.json").exists()
    assert (tmp_path / "numpy-1.dist-info/RECORD").read_text() == ""


def test_equal_sources_give_equal_byte_code_and_ages_wherever_they_lie(tmp_path: Path) -> None:
    bytes_of = []
    for name in ("one", "two"):
        tree = written(tmp_path / name, "pkg/m.py", "pkg/sub/n.py")
        (tree / "pkg/m.py").write_text("def f(x):\n    return x in {'a', 'b', 'c', 'd'}\n")
        assemble.compile_once(tree, shown=Path("/opt/vigie/app"))
        assemble.set_age(tree)
        bytes_of.append({path.relative_to(tree): path.read_bytes() for path in tree.rglob("*.pyc")})
        assert {path.stat().st_mtime for path in [tree, *tree.rglob("*")]} == {assemble.AGE}
    assert bytes_of[0] == bytes_of[1]
    assert len(bytes_of[0]) == 2
