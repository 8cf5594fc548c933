"""Metrics of uploads, by target."""

from __future__ import annotations

from vigie.contracts.evidence import EvidenceFacts
from vigie.histogram import DELAY_BUCKETS_S
from vigie.metrics import Metrics


class UploadMetrics:
    """Thread-safe."""

    def __init__(self, metrics: Metrics) -> None:
        self.dropped = metrics.dropped
        self._uploaded = metrics.counter(
            "vigie_evidence_uploaded_total", "Files that the target has taken whole.", ("target", "kind")
        )
        self.sent_bytes = metrics.counter(
            "vigie_evidence_sent_bytes_total", "Bytes of pictures and clips sent, tries that failed too.", ("target",)
        )
        self.failed = metrics.counter("vigie_evidence_failed_total", "Tries that failed.", ("target",))
        self._resumed = metrics.counter(
            "vigie_evidence_blocks_resumed_total", "Blocks that a former try had sent and that were not sent again.",
            ("target",),
        )  # fmt: skip
        self._seconds = metrics.histogram(
            "vigie_evidence_upload_seconds", "One upload that was taken.", ("target",), buckets=DELAY_BUCKETS_S
        )
        self._waiting = metrics.gauge("vigie_evidence_backlog", "Files that wait for the target.", ("target",))
        self._spool = metrics.gauge("vigie_evidence_spool_bytes", "Disk that waiting evidence takes.")

    def uploaded(self, target: str, facts: EvidenceFacts, took_s: float, resumed: int) -> None:
        self._uploaded.labels(target, facts.kind).inc()
        self._seconds.labels(target).observe(took_s)
        self._resumed.labels(target).inc(resumed)

    def show(self, waiting: dict[str, int], used_bytes: int) -> None:
        for target, count in waiting.items():
            self._waiting.labels(target).set(count)
        self._spool.set(used_bytes)
