"""Metrics of deliveries, by sink."""

from __future__ import annotations

from collections.abc import Sequence

from vigie.histogram import DELAY_BUCKETS_S
from vigie.metrics import Metrics


class DeliveryMetrics:
    """Counters and histograms of all sinks; thread-safe."""

    def __init__(self, metrics: Metrics) -> None:
        self.dropped = metrics.dropped
        self._taken = metrics.counter("vigie_actions_delivered_total", "Events that the sink has taken.", ("sink",))
        self.failed = metrics.counter("vigie_actions_failed_total", "Tries that failed.", ("sink",))
        self._late = metrics.counter(
            "vigie_actions_late_total", "Events that the sink took after its deadline.", ("sink",)
        )
        self._delay = metrics.histogram(
            "vigie_action_delay_seconds", "From what happened to the sink's answer.", ("sink",), buckets=DELAY_BUCKETS_S
        )
        self._took = metrics.histogram(
            "vigie_action_seconds", "One delivery that was taken.", ("sink",), buckets=DELAY_BUCKETS_S
        )
        self.waiting = metrics.gauge("vigie_actions_backlog", "Events recorded, not yet taken by the sink.", ("sink",))

    def delivered(self, sink: str, took_s: float, delays_s: Sequence[float], late: int) -> None:
        self._taken.labels(sink).inc(len(delays_s))
        self._late.labels(sink).inc(late)
        self._took.labels(sink).observe(took_s)
        for delay_s in delays_s:
            self._delay.labels(sink).observe(delay_s)
