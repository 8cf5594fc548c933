"""Metrics of a status as numbers by label, and rates out of two of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?$", re.DOTALL)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(metrics: Mapping[str, float], name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Every sample of ``name`` as (labels, value)."""
    for key, value in metrics.items():
        if key.startswith(name) and (match := _SAMPLE.match(key)) and match["name"] == name:
            yield dict(_LABEL.findall(match["labels"] or "")), value


def total(metrics: Mapping[str, float], name: str) -> float:
    """Sum over all labels; 0 without a sample."""
    return sum(value for _, value in samples(metrics, name))


def by_label(metrics: Mapping[str, float], name: str, label: str, **only: str) -> dict[str, float]:
    """Sums by one label, of the samples whose other labels are as ``only`` says."""
    found: dict[str, float] = {}
    for labels, value in samples(metrics, name):
        if any(labels.get(key) != wanted for key, wanted in only.items()):
            continue
        found[labels.get(label, "")] = found.get(labels.get(label, ""), 0.0) + value
    return found


def rates(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Growth per second of each counter by label; one that fell began anew and counts from 0."""
    if seconds <= 0:
        return {}
    grown = {key: value - before.get(key, 0.0) for key, value in after.items()}
    return {key: (after[key] if change < 0 else change) / seconds for key, change in grown.items()}
