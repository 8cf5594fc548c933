"""Asks modules for their /metrics and adds counters up over their restarts."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vigie_devkit.local.health_keeper import HealthAnswer

Labels = tuple[tuple[str, str], ...]
# Counters, and what a histogram counts.
_COUNTED = ("_total", "_bucket", "_count", "_sum")


@dataclass(frozen=True)
class MetricSample:
    """One line of an exposition; ``labels`` sorted by name."""

    name: str
    labels: Labels
    value: float

    def label(self, name: str) -> str:
        return dict(self.labels).get(name, "")


def total_of(samples: Iterable[MetricSample], labels: Mapping[str, str]) -> float | None:
    """The sum over what ``labels`` leave open; None: there is no such sample."""
    found = [one.value for one in samples if all(one.label(key) == value for key, value in labels.items())]
    return sum(found) if found else None


def parse_exposition(text: str) -> Iterator[MetricSample]:
    """Read the Prometheus text format. Raises: ValueError: it is not that."""
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(text):
        for one in family.samples:
            yield MetricSample(one.name, tuple(sorted(one.labels.items())), float(one.value))


async def fetch_metrics(state: Path, pid: int, *, timeout_s: float = 2.0) -> list[MetricSample] | None:
    """The samples of the module whose state folder is ``state``, None while ``pid`` does not serve them."""
    body = await _get(state, pid, "/metrics", timeout_s)
    try:
        return None if body is None else list(parse_exposition(body.decode("utf-8", "replace")))
    except ValueError:
        return None  # cut off: the module ended while it answered


async def is_ready(state: Path, pid: int, *, timeout_s: float = 2.0) -> bool:
    """True once the module answers /readyz with 200."""
    return await _get(state, pid, "/readyz", timeout_s) is not None


async def ask_health(state: Path, pid: int, *, timeout_s: float = 2.0) -> HealthAnswer:
    """What /healthz of process ``pid`` says of its progress."""
    answer = await _ask(state, pid, "/healthz", timeout_s)
    if answer is None:
        return HealthAnswer(well=False, reason="no answer", silent=True)
    status, body = answer
    return HealthAnswer(well=status == 200, reason=body.decode("utf-8", "replace")[:300])


async def _get(state: Path, pid: int, path: str, timeout_s: float) -> bytes | None:
    """The body of an answer 200, None for anything else."""
    answer = await _ask(state, pid, path, timeout_s)
    return answer[1] if answer is not None and answer[0] == 200 else None


async def _ask(state: Path, pid: int, path: str, timeout_s: float) -> tuple[int, bytes] | None:
    """Status and body, None where nobody answers.

    A plain request over a stream: an HTTP library would cost `up` half its start-up time.
    """
    try:
        endpoint = json.loads((state / "http.json").read_text(encoding="utf-8"))
        if endpoint["pid"] != pid:
            return None  # left behind by the incarnation before
        host = endpoint["host"].replace("0.0.0.0", "127.0.0.1")  # noqa: S104  read, not bound
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, endpoint["port"])
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                response = await reader.read()
            finally:
                writer.close()
        head, _, body = response.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    except (OSError, ValueError, KeyError, IndexError, TimeoutError):
        return None


class MetricTotals:
    """What all modules counted in this run. Counters survive a module's restart, gauges are the latest."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._former: dict[tuple[str, str, Labels], float] = {}
        self._now: dict[str, dict[tuple[str, Labels], float]] = {}

    def add(self, module: str, pid: int, samples: Iterable[MetricSample]) -> None:
        """Take a module's samples; another ``pid`` than last time means that its counters began anew."""
        if self._pids.get(module, pid) != pid:
            for (name, labels), value in self._now.get(module, {}).items():
                if name.endswith(_COUNTED):
                    key = (module, name, labels)
                    self._former[key] = self._former.get(key, 0.0) + value
        self._pids[module] = pid
        self._now[module] = {(sample.name, sample.labels): sample.value for sample in samples}

    def values(self, name: str, module: str | None = None) -> Iterator[MetricSample]:
        """All samples of one name, counters with what earlier incarnations counted."""
        added: dict[Labels, float] = {}
        for owner, samples in self._now.items():
            if module in (None, owner):
                for (found, labels), value in samples.items():
                    if found == name and not math.isnan(value):
                        added[labels] = added.get(labels, 0.0) + value
        for (owner, found, labels), value in self._former.items():
            if found == name and module in (None, owner):
                added[labels] = added.get(labels, 0.0) + value
        return (MetricSample(name, labels, value) for labels, value in added.items())

    def total(self, name: str, module: str | None = None) -> int:
        """Sum over all labels."""
        return round(sum(sample.value for sample in self.values(name, module)))

    def by(self, name: str, label: str, module: str | None = None) -> dict[str, int]:
        """Sums by one label, largest first; zero is left out."""
        return sums_by(self.values(name, module), label)


def sums_by(samples: Iterable[MetricSample], label: str) -> dict[str, int]:
    """Sums by one label, largest first; zero is left out."""
    sums: dict[str, float] = {}
    for sample in samples:
        sums[sample.label(label)] = sums.get(sample.label(label), 0.0) + sample.value
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return {key: round(value) for key, value in ordered if round(value)}
