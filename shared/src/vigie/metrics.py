"""Prometheus metrics of one process: an own registry, the names every module shares, and a way to add more."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from vigie.log import lines_lost
from vigie.sandbox.module import is_confined

# One more series for each counter, which nobody reads: the scraper knows when a process began.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types for it

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _LogLines(Collector):
    """Log lines are counted below the log, which knows no metrics: read where they are counted."""

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily("vigie_log_lines_lost", "Log lines that could not be written.", lines_lost())


class MetricsPart:
    """Metrics of a part of which a process has several; thread-safe."""

    def __init__(self) -> None:
        """Empty."""
        self.registry = CollectorRegistry()

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, text, tuple(labels), registry=self.registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, tuple(labels), registry=self.registry)

    def histogram(self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, text, tuple(labels), buckets=tuple(buckets), registry=self.registry)


class Metrics(MetricsPart, Collector):
    """Counters and gauges that read alike in all modules; thread-safe. One instance per process, none global."""

    def __init__(self) -> None:
        """Register what every module has."""
        super().__init__()
        self._parts: dict[tuple[str, str], MetricsPart] = {}
        ProcessCollector(registry=self.registry)
        self._dropped = self.counter("vigie_items_dropped_total", "Items dropped, by reason.", ("reason", "camera"))
        self.lost = self.counter("vigie_messages_lost_total", "Messages that never came.", ("input",))
        self.rejected = self.counter("vigie_messages_rejected_total", "Messages that do not decode.", ("input",))
        self.duplicates = self.counter("vigie_messages_duplicate_total", "Messages received again.", ("input",))
        self.received = self.counter("vigie_messages_received_total", "Messages received in order.", ("input",))
        self.sent = self.counter("vigie_messages_sent_total", "Messages acknowledged by the hub.", ("output",))
        self.registry.register(_LogLines())
        self.rung = self.counter("vigie_doorbell_messages_total", "Messages sent by doorbell.", ("output",))
        self.hub_connected = self.gauge("vigie_hub_connected", "1 while the hub link is up.")
        self.sign_failures = self.counter("vigie_hub_sign_failures_total", "Tokens that could not be renewed.")
        self.without_progress = self.gauge(
            "vigie_output_without_progress_seconds",
            "How long a consumer has processed nothing while something waits for it.",
            ("output", "consumer"),
        )
        self.health_restarts = self.gauge(
            "vigie_health_restarts", "Times that a supervisor ended this module because it made no progress."
        )
        self.client_rebuilds = self.counter("vigie_client_rebuilds_total", "Hub clients replaced.", ("reason",))

    def build(self, module: str, version: str) -> None:
        """Say which code this process runs: ``vigie_build_info`` is always 1, its labels are the fact."""
        info = self.gauge("vigie_build_info", "Which code runs: always 1.", ("module", "version", "python"))
        info.labels(module, version, platform.python_version()).set(1)
        confined = self.gauge("vigie_module_confined", "1 while the module's own filter of system calls holds.")
        confined.set(int(is_confined()))

    def part(self, label: str, value: str) -> MetricsPart:
        """Metrics that are shown among these, under the same names, with ``label`` set to ``value``."""
        part = MetricsPart()
        self._parts = {**self._parts, (label, value): part}
        return part

    def without(self, part: MetricsPart) -> None:
        """``part`` is shown no longer."""
        self._parts = {key: one for key, one in self._parts.items() if one is not part}

    def collect(self) -> Iterator[Metric]:
        """Every family once, with the samples of all parts."""
        families = {family.name: family for family in self.registry.collect()}
        for (label, value), part in self._parts.items():
            for family in part.registry.collect():
                shown = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    shown.samples.append(sample._replace(labels={**sample.labels, label: value}))
        yield from families.values()

    def dropped(self, reason: StrEnum, camera: str, count: int = 1) -> None:
        """Count items that will not go on. ``reason``: a ``DropReason``, or the ledger's ``Drop``."""
        self._dropped.labels(reason, camera).inc(count)

    def exposition(self) -> bytes:
        """The text of /metrics."""
        return generate_latest(self)

    def values(self) -> dict[str, float]:
        """Every sample as ``name{label="value"}``: what the ``get_status`` method shows."""
        samples: dict[str, float] = {}
        for family in self.collect():
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples
