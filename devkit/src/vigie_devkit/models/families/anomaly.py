"""Anomalib's exports: by the names of their outputs, or of the older ones by the thresholds of ``metadata.json``.

Version 2 writes ``pred_score``, ``pred_label``, ``anomaly_map``, ``pred_mask``, those that the model has; the graph
resizes and normalises, compares with its thresholds and brings scores to 0..1. Version 1 and before write a map,
perhaps a score, and the thresholds into a file beside it. RGB 0..1 (before version 1: ImageNet's mean and deviation),
stretched.

Source: open-edge-platform/anomalib, models/components/base/export_mixin, post_processing/post_processor.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

_PARTS = {"pred_score": "score", "pred_label": "label", "anomaly_map": "map", "pred_mask": "mask"}
_FEEDS = (feed_of("rgb/0..1", "stretch"), feed_of("rgb/imagenet", "stretch"))
# Anything above a rounding: the label of the graph decides, the twin's score can only ask for more.
_BY_LABEL = 0.01


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    facts = signature.anomaly
    if not facts or any(port.name in _PARTS for port in signature.outputs):
        return
    maps = [port for port in signature.outputs if _is_map(port)]
    scores = [port for port in signature.outputs if _count(port) == 1]
    if len(maps) > 1 or len(scores) > 1 or len(maps) + len(scores) != len(signature.outputs) or not signature.outputs:
        return
    low, high = _range(facts, "pred_scores" if scores else "anomaly_maps")
    if low is None or high is None or high <= low:
        yield Doubt(
            "anomaly",
            "metadata.json has an image_threshold, but not between which numbers (min, max) scores lie; export it anew",
        )
        return
    if doubt := _other_size(signature, maps):
        yield doubt
        return
    ports = [*scores, *maps]
    params = {
        "parts": ["score"] * len(scores) + ["map"] * len(maps),
        "threshold": facts["image_threshold"],
        "map_threshold": facts.get("pixel_threshold", facts["image_threshold"]),
        "span": high - low,
    }
    yield _reading(ports, params, "thresholds of metadata.json", _FEEDS, score_min=0.5)


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    found = {_PARTS[port.name]: port for port in signature.outputs if port.name in _PARTS}
    if not {"score", "map"} & set(found) or len(found) != len(signature.outputs):
        return
    maps = [found[part] for part in ("map", "mask") if part in found]
    if doubt := _other_size(signature, maps):
        yield doubt
        return
    for part in ("score", "map"):
        values = signature.probe.get(found[part].name) if part in found else None
        if values is not None and not are_shares(values):
            yield Doubt(
                "anomaly",
                f"its {found[part].name} is not in 0..1 ({float(values.min()):.3g} to {float(values.max()):.3g}): it "
                "was exported without thresholds; run Anomalib's engine.test before the export, or pass --card with "
                "decoder anomaly, threshold, map_threshold and span",
            )
            return
    # The mask is the map compared with a threshold that only the graph knows.
    wanted: list[str] = [part for part in ("score", "label", "mask") if part in found]
    if ("mask" not in found and "map" in found) or "score" not in found:
        wanted.append("map")
    label = "label" in found
    yield _reading(
        [found[part] for part in wanted],
        {"parts": wanted},
        f"Anomalib's outputs {', '.join(found[part].name for part in wanted)}",
        _FEEDS[:1],
        score_min=_BY_LABEL if label else 0.5,
    )


def _other_size(signature: Signature, maps: list[Port]) -> Doubt | None:
    """A map of another size than the input may be cut out of its middle (PatchCore's center crop)."""
    for port in maps:
        sides = port.shape[-2:]
        if sides != signature.input_hw and signature.asked != "anomaly":
            height, width = signature.input_hw
            return Doubt(
                "anomaly",
                f"its {port.name} is {sides[0]}x{sides[1]}, its input {height}x{width}: whether it covers the whole "
                f"picture or its middle (center_crop) is open; pass --size {sides[0]}x{sides[1]} if its size is open, "
                "or --family anomaly if nothing is cut off",
            )
    return None


def _range(facts: dict[str, float], what: str) -> tuple[float | None, float | None]:
    return facts.get(f"{what}.min", facts.get("min")), facts.get(f"{what}.max", facts.get("max"))


def _is_map(port: Port) -> bool:
    return len(port.shape) in {3, 4} and set(port.shape[:-2]) == {1} and min(port.shape[-2:]) > 1


def _count(port: Port) -> int:
    count = 1
    for side in port.shape:
        count *= side
    return count


def _reading(
    ports: list[Port], params: dict[str, Any], why: str, feeds: tuple[Feed, ...], *, score_min: float
) -> Recognition:
    return Recognition(
        family="anomaly",
        decoder="anomaly",
        params=params,
        feed=feeds[0],
        other_feeds=feeds[1:],
        outputs=tuple(port.name for port in ports),
        class_count=1,
        labels=("anomaly",),
        task="anomaly",
        score_min=score_min,
        vouched=len(feeds) == 1,
        why=why,
    )
