"""Metrics of one process, with those of its parts."""

from __future__ import annotations

from vigie.metrics import Metrics


def test_a_part_is_shown_under_the_same_names_with_its_label_until_it_is_taken_out() -> None:
    metrics = Metrics()
    metrics.counter("vigie_things", "Things.", ("kind",)).labels("a").inc()
    part = metrics.part("seat", "gate")
    part.counter("vigie_things", "Things.", ("kind",)).labels("a").inc(2)
    part.gauge("vigie_only_here", "Of the part.").set(7)
    lines = metrics.exposition().decode().splitlines()
    assert 'vigie_things_total{kind="a"} 1.0' in lines
    assert 'vigie_things_total{kind="a",seat="gate"} 2.0' in lines
    assert 'vigie_only_here{seat="gate"} 7.0' in lines
    assert sum(line.startswith("# TYPE vigie_things_total") for line in lines) == 1, "a scraper takes a name once"
    metrics.without(part)
    assert not [name for name in metrics.values() if "seat" in name or "only_here" in name]
