"""Medians, verdicts and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie_devkit.bench.report import (
    Figure,
    comparison,
    fold,
    machine,
    markdown,
    plain,
    quantile,
    read_rows,
    rows_json,
)


def _figure(value: float, *, name: str = "p95", bar: float | None = 100.0, note: str = "") -> Figure:
    return Figure(case="slow-hub-8", name=name, value=value, unit="ms", bar=bar, note=note)


def test_repeats_fold_into_their_median_with_the_range_beside_it() -> None:
    (row,) = fold([[_figure(90.0)], [_figure(300.0)], [_figure(80.0, note="last")]])
    assert (row.median, row.lowest, row.highest, row.repeats, row.note) == (90.0, 80.0, 300.0, 3, "last")
    assert row.verdict == "met"


@pytest.mark.parametrize(
    ("value", "bar", "verdict"),
    [(100.0, 100.0, "met"), (100.1, 100.0, "MISSED"), (1e9, None, "")],
    ids=["on the bar", "above it", "no bar"],
)
def test_a_row_is_compared_with_its_bar(value: float, bar: float | None, verdict: str) -> None:
    assert fold([[_figure(value, bar=bar)]])[0].verdict == verdict


def test_rows_stand_in_the_order_in_which_figures_came() -> None:
    rows = fold([[_figure(1.0, name="b"), _figure(2.0, name="a")], [_figure(3.0, name="c"), _figure(4.0, name="b")]])
    assert [row.name for row in rows] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.95, 4.0), (1.0, 4.0)], ids=["0", "50", "95", "100"]
)
def test_quantiles_are_of_the_values_themselves(share: float, expected: float) -> None:
    assert quantile([3.0, 1.0, 4.0, 2.0], share) == expected


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_the_page_names_machine_date_command_and_every_row() -> None:
    page = markdown(
        fold([[_figure(90.0, note="a|b")], [_figure(110.0)], [_figure(1234.5, name="fps", bar=None)]]),
        machine="a machine",
        date="2026-11-20",
        command="python -m x --quick",
    )
    assert "2026-11-20, a machine." in page
    assert "    python -m x --quick" in page
    assert "| slow-hub-8 | p95 | 100 ms [90..110] | <= 100 | met |" in page
    assert "| slow-hub-8 | fps | 1234 ms |  |  |  |" in page
    assert page.count("|---|---|---|---|---|---|") == 1


def test_the_terminal_shows_the_same() -> None:
    assert "MISSED" in plain(fold([[_figure(101.0)]]))


def test_the_machine_is_named_by_its_processor(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert machine(tmp_path).startswith("Some CPU @ 2 GHz, ")


@pytest.mark.parametrize(("value", "verdict"), [(1.4, "met"), (1.39, "MISSED")], ids=["on the floor", "below it"])
def test_a_ratio_is_compared_with_the_lowest_that_is_allowed(value: float, verdict: str) -> None:
    (row,) = fold([[Figure(case="max-1", name="over the plain loop", value=value, unit="x", floor=1.4)]])
    assert row.verdict == verdict
    assert ">= 1.4" in plain([row])


def test_what_json_printed_is_compared_figure_by_figure(tmp_path: Path) -> None:
    base, now = tmp_path / "base.json", fold([[_figure(50.0), _figure(1.0, name="new")]])
    base.write_text(rows_json(fold([[_figure(100.0), _figure(3.0, name="gone")]])), encoding="utf-8")
    lines = comparison(now, read_rows(base)).splitlines()
    assert len(lines) == 1
    assert lines[0].split() == ["slow-hub-8", "p95", "100", "->", "50", "ms", "0.50"]


def test_a_file_of_something_else_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text('{"figures": 3}', encoding="utf-8")
    with pytest.raises(ValueError, match="array"):
        read_rows(tmp_path / "base.json")
