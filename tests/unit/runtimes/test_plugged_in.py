"""Engines from outside: by a variable, by an entry point, never by a line in Vigie's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_bundle import tiny_bundle
from vigie.errors import ConfigRefusedError, ProviderError
from vigie.runtimes import Candidate, open_engine


def test_a_named_engine_gets_bundle_candidate_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside.py").write_text("def make(*given): return given")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("VIGIE_ENGINES", " mine=outside:make , ")
    candidate = Candidate("mine", "anything", "X", "fp32", 1)
    bundle = tiny_bundle(tmp_path / "b")
    assert open_engine(bundle, candidate)[:2] == (bundle, candidate)  # type: ignore[index]  # the factory's answer


def test_an_engine_that_nobody_provides_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no engine is called 'mine'; see VIGIE_ENGINES"):
        open_engine(tiny_bundle(tmp_path / "b"), Candidate("mine", "x", "X", "fp32", 1))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("mine", r"\$VIGIE_ENGINES: expected name=module:function, got 'mine'"),
        ("mine=module", r"expected name=module:function, got 'mine=module'"),
        ("mine=no_such_module:make", r"\$VIGIE_ENGINES.mine: cannot import 'no_such_module:make'"),
        ("mine=json:no_such_function", "cannot import 'json:no_such_function'"),
    ],
)
def test_a_bad_variable_is_refused_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", value)
    with pytest.raises(ConfigRefusedError, match=said):
        open_engine(tiny_bundle(tmp_path / "b"), Candidate("mine", "x", "X", "fp32", 1))
