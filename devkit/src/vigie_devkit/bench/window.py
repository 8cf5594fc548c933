"""What happened in a window of time while the product ran: CPU, frames, drops, delays. Pure but for `watch`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.names import CAMERA, INFERENCE
from vigie.thread_names import ENGINE
from vigie_devkit.bench.report import Figure, quantile
from vigie_devkit.local import summary
from vigie_devkit.local.cpu import Used, used
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.product import Product


class MeasuredWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Differences between two looks. ``model_s``: CPU inside the model, ``source_s``: of the cameras' threads."""

    begun_ns: int
    seconds: float
    captured: int
    committed: int
    dropped: Mapping[str, int]
    messages: int
    used: Mapping[str, Used]
    model_s: float
    source_s: float

    @property
    def fps(self) -> float:
        """Frames committed per second, all cameras together."""
        return self.committed / self.seconds

    @property
    def drop_share(self) -> float:
        """Of the frames captured in the window."""
        return sum(self.dropped.values()) / max(1, self.captured)

    @property
    def frames_a_message(self) -> float:
        """How far batching went between camera and sync: frames committed per message that sync received."""
        return self.committed / max(1, self.messages)

    def overhead_ms(self) -> dict[str, float]:
        """CPU a committed frame by process, in ms, without sources, model and `up`: `up` is not on a device."""
        frames = max(1, self.committed)
        apart_s = {CAMERA: self.source_s, INFERENCE: self.model_s}
        return {
            name: (spent.total_s - apart_s.get(name, 0.0)) / frames * 1e3
            for name, spent in self.used.items()
            if name != "up"
        }


def watch(product: Product, seconds: float) -> MeasuredWindow:
    """Let the product run for ``seconds`` and tell what happened. It is looked at twice only.

    Raises: ProductError, ValueError: something ended or was restarted meanwhile.
    """
    before, cpu_before, begun_ns = product.look(), product.cpu(), time.monotonic_ns()
    time.sleep(seconds)
    cpu_after, ended_ns, after = product.cpu(), time.monotonic_ns(), product.look()
    spent = {name: used(earlier, cpu_after[name]) for name, earlier in cpu_before.items()}
    return MeasuredWindow(
        begun_ns=begun_ns,
        seconds=(ended_ns - begun_ns) / 1e9,
        captured=summary.captured(after) - summary.captured(before),
        committed=summary.committed(after) - summary.committed(before),
        dropped=growth(summary.dropped(before), summary.dropped(after)),
        messages=after.total("vigie_messages_received_total", "sync")
        - before.total("vigie_messages_received_total", "sync"),
        used=spent,
        model_s=_seconds(after, "vigie_inference_cpu_seconds_total")
        - _seconds(before, "vigie_inference_cpu_seconds_total")
        + spent[INFERENCE].of(ENGINE),
        source_s=source_seconds(spent[CAMERA]),
    )


def source_seconds(camera: Used) -> float:
    """CPU of the sources: the thread of each camera, and the process that decodes for it (``cam.<name>``)."""
    return sum(
        seconds
        for name, seconds in camera.by_thread_s.items()
        if name.startswith((f"{CAMERA}.", "cam.")) and name != f"{CAMERA}.watch"
    )


def growth(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """By how much each count grew; what did not grow is left out."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


def inside(items: Iterable[DetectionsItem], window: MeasuredWindow) -> list[DetectionsItem]:
    """Items captured in the window, by capture time."""
    end_ns = window.begun_ns + int(window.seconds * 1e9)
    return sorted(
        (item for item in items if window.begun_ns <= item.captured_ns < end_ns), key=lambda item: item.captured_ns
    )


def delays_ms(items: Iterable[DetectionsItem]) -> list[float]:
    """Capture to sync, where rules see the frame, in ms."""
    return [item.timings.received_ms for item in items if item.timings.received_ms is not None]


def beyond_ms(items: Iterable[DetectionsItem]) -> list[float]:
    """The same without the model's own time."""
    return [
        item.timings.received_ms - item.timings.inference_ms for item in items if item.timings.received_ms is not None
    ]


def stages_ms(items: Iterable[DetectionsItem]) -> dict[str, float]:
    """Where a frame's time goes: the median of each stage, in ms, in the order of the flow.

    Raises: ValueError: no item has reached sync.
    """
    timed = [item.timings for item in items if item.timings.received_ms is not None]
    parts = {
        "capture to preprocessed": [one.preprocessed_ms for one in timed],
        "waiting for the model": [one.inferred_ms - one.preprocessed_ms - one.inference_ms for one in timed],
        "model": [one.inference_ms for one in timed],
        "inferred to sync": [(one.received_ms or 0.0) - one.inferred_ms for one in timed],
        "sync to its ledger": [(one.committed_ms or 0.0) - (one.received_ms or 0.0) for one in timed],
    }
    return {name: quantile(values, 0.5) for name, values in parts.items()}


def stage_figures(case: str, items: Iterable[DetectionsItem]) -> list[Figure]:
    """`stages_ms` as figures."""
    return [
        Figure(case=case, name=f"time of a frame, {name}", value=ms, unit="ms") for name, ms in stages_ms(items).items()
    ]


def drift(delays: Sequence[float]) -> float:
    """Median of the last third over median of the first third: about 1 where the delay is flat.

    Raises: ValueError: fewer than three values.
    """
    third = len(delays) // 3
    return quantile(delays[-third:] if third else [], 0.5) / max(1e-9, quantile(delays[:third], 0.5))


def by_thread(spent: Used, frames: int, most: int = 4) -> str:
    """The threads that cost most, in ms a frame, for a note."""
    ordered = sorted(spent.by_thread_s.items(), key=lambda pair: -pair[1])[:most]
    return ", ".join(f"{name} {seconds / max(1, frames) * 1e3:.2f}" for name, seconds in ordered)


def _seconds(tally: MetricTotals, name: str) -> float:
    return sum(sample.value for sample in tally.values(name, INFERENCE))
