from __future__ import annotations

import pytest

from vigie_devkit.commands.test import NoSuchTestError, refuse_missing, workers

SIDE_BY_SIDE = ["-n", "6", "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    ("words", "added"),
    [
        pytest.param([], SIDE_BY_SIDE, id="whole suite"),
        pytest.param(["tests/unit"], SIDE_BY_SIDE, id="folder"),
        pytest.param(["-x", "-q"], SIDE_BY_SIDE, id="options only"),
        pytest.param(["-k", "ring"], SIDE_BY_SIDE, id="selection by name"),
        pytest.param(["tests/unit/commands/test_test_workers.py"], [], id="one file"),
        pytest.param(["tests/unit/commands/test_test_workers.py::test_x"], [], id="one test"),
        pytest.param(["-m", "docker", "tests/images"], [], id="marked"),
        pytest.param(["-n0"], [], id="the caller decides"),
        pytest.param(["--dist=no"], [], id="the caller decides how"),
        pytest.param(["tests", "--pdb"], [], id="debugger"),
    ],
)
def test_files_run_side_by_side_unless_the_caller_decides_otherwise(words: list[str], added: list[str]) -> None:
    assert workers(words, cores=2) == added


def test_a_test_that_is_not_there_is_told_before_anything_is_installed() -> None:
    refuse_missing(["-x", "tests/unit", "tests/unit/commands/test_test_workers.py::test_x"])
    with pytest.raises(NoSuchTestError, match=r"no tests/unit/test_test_workers\.py .*; did you mean tests/unit/"):
        refuse_missing(["-x", "tests/unit/test_test_workers.py"])
    with pytest.raises(NoSuchTestError, match=r"no tests/nothing in this checkout$"):
        refuse_missing(["tests/nothing"])
