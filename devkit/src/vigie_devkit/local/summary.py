"""What a run did, in numbers: the object that ``--json`` prints, and the exit code that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from vigie.contracts import names
from vigie.histogram import quantile
from vigie.plurals import counted
from vigie_devkit.local.footprint import MEGABYTE
from vigie_devkit.local.metrics import MetricTotals, sums_by
from vigie_devkit.local.reasons import left_out


@dataclass(frozen=True)
class ModuleCost:
    """``pss_mb``: proportional memory without ring pages; ``cpu_s``: CPU time of all incarnations."""

    pss_mb: float
    cpu_s: float


@dataclass(frozen=True)
class Summary:
    """Counts are of this run, all cameras together; ``fps`` is frames inferred per second of capturing.

    ``models``: frames inferred by each model.
    """

    frames_captured: int
    frames_inferred: int
    detections: int
    by_class: dict[str, int]
    upstream_messages: int
    fps: float
    latency_ms: dict[str, float | None]
    dropped: dict[str, int]
    runtime: dict[str, str | None]
    modules: dict[str, ModuleCost]
    rings_mb: float
    models: dict[str, int]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def captured(tally: MetricTotals) -> int:
    return tally.total("vigie_frames_captured_total", "camera")


def inferred(tally: MetricTotals) -> int:
    """What sync committed was inferred, whatever a killed inference module could no longer tell."""
    return max(tally.total("vigie_frames_inferred_total", "inference"), committed(tally))


def committed(tally: MetricTotals) -> int:
    return tally.total("vigie_items_committed_total", "sync")


def upstream(tally: MetricTotals) -> int:
    return tally.total("vigie_upstream_messages_total", "sync")


def backlog(tally: MetricTotals) -> int:
    return tally.total("vigie_ledger_backlog", "sync")


def dropped(tally: MetricTotals) -> dict[str, int]:
    """Frames dropped, by reason. A camera's name holds no slash: what does is a message about messages, no frame."""
    frames = (one for one in tally.values("vigie_items_dropped_total") if "/" not in one.label("camera"))
    return sums_by(frames, "reason")


def latency_ms(tally: MetricTotals) -> dict[str, float | None]:
    """Capture to sync, where rules see the frame, over the whole run, in milliseconds; None before the first."""
    return {name: delay_ms(tally, "sync", share) for name, share in (("p50", 0.5), ("p95", 0.95))}


def delay_ms(tally: MetricTotals, stage: str, share: float) -> float | None:
    """The delay from capture to the end of ``stage`` that ``share`` of the frames stay below."""
    return _ms(quantile(delay_buckets(tally, stage), share))


def delay_buckets(tally: MetricTotals, stage: str) -> dict[str, int]:
    """Frames by the delay from capture to the end of ``stage``: cumulative, by upper bound in seconds."""
    buckets = (one for one in tally.values("vigie_delay_seconds_bucket", "sync") if one.label("stage") == stage)
    return {one.label("le"): round(one.value) for one in buckets}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def runtime(tally: MetricTotals) -> dict[str, str | None]:
    facts = runtime_facts(tally)
    return {"provider": facts.get("provider"), "variant": facts.get("variant")}


def runtime_facts(tally: MetricTotals) -> dict[str, str]:
    """What runs the serving model: provider, variant, engine, device, threads; empty before there is one."""
    return runtimes(tally).get("", {})


def runtimes(tally: MetricTotals) -> dict[str, dict[str, str]]:
    """The same of every model that serves, by seat; the main model's is empty."""
    samples = tally.values("vigie_runtime_info", "inference")
    return {one.label("seat"): dict(one.labels) for one in samples if one.value}


def by_model(tally: MetricTotals) -> dict[str, int]:
    """Frames inferred by each model, those beside a camera's own too; without the digest of its card."""
    counts: dict[str, int] = {}
    for metric in ("vigie_frames_inferred_total", "vigie_beside_frames_inferred_total"):
        for model, count in tally.by(metric, "model", "inference").items():
            if name := model.partition("/")[0]:
                counts[name] = counts.get(name, 0) + count
    return counts


def hub_links(tally: MetricTotals) -> tuple[list[str], list[str]]:
    """Modules whose link to the hub is up, and those whose link is down; one that has told nothing is in neither."""
    links = {module: bool(one.value) for module in names.MODULES for one in tally.values("vigie_hub_connected", module)}
    return [module for module, up in links.items() if up], [module for module, up in links.items() if not up]


def measured_share(tally: MetricTotals) -> float | None:
    """How much of what may run the model has been measured, 0 to 1; None while nothing is said of it."""
    return next(
        (one.value for one in tally.values("vigie_runtime_measured_ratio", "inference") if not one.label("seat")), None
    )


def flowed(tally: MetricTotals) -> bool:
    """Frames went through all four modules and reached upstream."""
    preprocessed = tally.total("vigie_frames_preprocessed_total", "preprocess")
    return min(captured(tally), preprocessed, inferred(tally), committed(tally), upstream(tally)) > 0


def summarise(
    tally: MetricTotals, *, seconds: float, pss_bytes: Mapping[str, int], cpu_s: Mapping[str, float], rings_bytes: int
) -> Summary:
    """Args: seconds: from the first frame captured to the last inferred; the mappings are by process name."""
    by_class = tally.by("vigie_detections_committed_total", "label", "sync")
    return Summary(
        frames_captured=captured(tally),
        frames_inferred=inferred(tally),
        detections=sum(by_class.values()),
        by_class=by_class,
        upstream_messages=upstream(tally),
        fps=round(inferred(tally) / seconds, 1) if seconds > 0 else 0.0,
        latency_ms=latency_ms(tally),
        dropped=dropped(tally),
        runtime=runtime(tally),
        modules={
            name: ModuleCost(round(pss_bytes.get(name, 0) / MEGABYTE, 1), round(seconds_used, 2))
            for name, seconds_used in cpu_s.items()
        },
        rings_mb=round(rings_bytes / MEGABYTE, 1),
        models=by_model(tally),
    )


def describe(summary: Summary) -> str:
    """The same for people, a few calm lines."""
    classes = ", ".join(f"{label} {count}" for label, count in summary.by_class.items()) or "none"
    drops = ", ".join(left_out(summary.dropped)) or "no frame"
    p50, p95 = summary.latency_ms["p50"], summary.latency_ms["p95"]
    latency = f", latency p50 {p50:g} / p95 {p95:g} ms" if p50 is not None and p95 is not None else ""
    frames = f"{summary.frames_captured} captured, {summary.frames_inferred} inferred ({summary.fps:g}/s){latency}"
    shares = ", ".join(f"{name} {count}" for name, count in summary.models.items())
    models = [f"models      {shares}"] if len(summary.models) > 1 else []
    return "\n".join(
        (
            f"frames      {frames}",
            *models,
            f"detections  {summary.detections}  ({classes})",
            f"upstream    {counted(summary.upstream_messages, 'message')}",
            f"left out    {drops}",
        )
    )
