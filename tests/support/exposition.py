"""Samples as the modules expose them."""

from __future__ import annotations

from vigie_devkit.local.metrics import MetricSample


def sample(name: str, value: float, **labels: str) -> MetricSample:
    return MetricSample(name, tuple(sorted(labels.items())), value)


def delays() -> list[MetricSample]:
    """A hundred frames through all stages: at sync half within 14.2 ms, 95 within 20 ms."""
    counts = {
        "preprocess": {"0.002": 0, "0.003": 100, "+Inf": 100},
        "inference": {"0.005": 0, "0.01": 100, "+Inf": 100},
        "sync": {"0.01": 0, "0.015": 60, "0.02": 95, "0.03": 100, "+Inf": 100},
    }
    return [
        sample("vigie_delay_seconds_bucket", count, stage=stage, le=bound)
        for stage, buckets in counts.items()
        for bound, count in buckets.items()
    ]
