"""The machine's temperature: the hottest zone that makes sense."""

from __future__ import annotations

from pathlib import Path

from vigie_viewer.warmth import Warmth, hottest


def zone(root: Path, number: int, name: str, temp: str) -> None:
    folder = root / f"thermal_zone{number}"
    folder.mkdir()
    (folder / "type").write_text(f"{name}\n", encoding="utf-8")
    (folder / "temp").write_text(f"{temp}\n", encoding="utf-8")


def test_the_hottest_zone_is_told_and_absurd_or_broken_ones_are_not(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "27800")
    zone(tmp_path, 1, "x86_pkg_temp", "61500")
    zone(tmp_path, 2, "absent", "255000")
    zone(tmp_path, 3, "broken", "?")
    (tmp_path / "thermal_zone4").mkdir()
    assert hottest(tmp_path) == Warmth("x86_pkg_temp", 61.5)


def test_a_machine_without_sensors_says_nothing(tmp_path: Path) -> None:
    assert hottest(tmp_path / "none") is None
