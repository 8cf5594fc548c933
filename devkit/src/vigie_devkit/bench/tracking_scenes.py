"""Sequences with known identities for the tracking bench and its tests: parts on the rendered belt, and walkers.

Detections are the truth made worse as a detector makes it: some boxes missing, all of them jittered, some scores low,
some boxes out of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.layout import Style
from vigie.synthetic.shot import Shot
from vigie.synthetic.url import SceneSpec

BELT_WH, WALKERS_WH = (640, 360), (1280, 720)
# Places on the belt such that about so many parts are in the picture.
_BELT_STYLES = {
    5: Style(140, (40.0, 90.0), filled=0.45, clutter=0.1),
    20: Style(72, (24.0, 60.0), filled=0.6, clutter=0.1),
    100: Style(38, (14.0, 30.0), filled=0.85, clutter=0.0),
}
_LABELS = 6


@dataclass(frozen=True, slots=True)
class Noise:
    """Shares of boxes that are missing, scored low or false; ``jitter`` and label flips likewise."""

    missing: float = 0.10
    low: float = 0.15
    false: float = 0.02
    jitter: float = 0.03
    flipped: float = 0.05


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """``truth_ids`` (N,) and ``truth_xyxy`` (N, 4); detections: ``boxes_xyxy`` (M, 4), ``scores``, ``class_ids``."""

    at_s: float
    truth_ids: NDArray[np.int64]
    truth_xyxy: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]


def belt(objects: int, times_s: NDArray[np.float64], seed: int, noise: Noise | None = None) -> Iterator[TrackedFrame]:
    """Parts that the synthetic camera renders, about ``objects`` at a time (5, 20 or 100)."""
    fps = 240.0
    shot = Shot(SceneSpec(seed=seed, fps=fps, size_wh=BELT_WH), 0, "normal", _BELT_STYLES[objects])
    names: dict[tuple[int, int], int] = {}
    rng = np.random.default_rng(seed)
    for at_s in times_s.tolist():
        truths = shot.truth(round(at_s * fps), 0.2)
        ids = np.array([names.setdefault(one.part, len(names) + 1) for one in truths], np.int64)
        boxes = np.array([one.box_xyxy for one in truths], np.float32).reshape(-1, 4)
        yield _detected(at_s, ids, boxes, rng=rng, noise=noise or Noise(), size_wh=BELT_WH)


def walkers(
    objects: int, times_s: NDArray[np.float64], seed: int, noise: Noise | None = None
) -> Iterator[TrackedFrame]:
    """Figures that walk, turn and cross each other; a fifth of them stand. They hide nothing: boxes may overlap."""
    rng = np.random.default_rng(seed)
    width, height = WALKERS_WH
    tall = rng.uniform(60, 160, objects) * (0.55 if objects > 50 else 1.0)
    size = np.stack((tall * rng.uniform(0.35, 0.5, objects), tall), axis=1)
    at = rng.uniform(0, 1, (objects, 2)) * (width, height)
    heading = rng.uniform(0, 2 * np.pi, objects)
    speed = rng.uniform(0.5, 1.5, objects) * tall * (rng.uniform(size=objects) > 0.2)
    ids = np.arange(1, objects + 1)
    step_s, now_s = 1 / 120, float(times_s[0])
    for at_s in times_s.tolist():
        while now_s + step_s <= at_s + 1e-9:
            now_s += step_s
            heading += rng.normal(0, 1.2 * np.sqrt(step_s), objects)
            at += np.stack((np.cos(heading), np.sin(heading) * 0.5), axis=1) * speed[:, None] * step_s
            out = (at < 0) | (at > (width, height))
            heading = np.where(out[:, 0], np.pi - heading, heading)
            heading = np.where(out[:, 1], -heading, heading)
            at = np.clip(at, 0, (width, height))
        boxes = np.concatenate((at - size / 2, at + size / 2), axis=1).astype(np.float32)
        boxes = np.clip(boxes, 0, (width, height, width, height)).astype(np.float32)
        yield _detected(at_s, ids, boxes, rng=rng, noise=noise or Noise(), size_wh=WALKERS_WH)


def times(fps: float, seconds: float, *, uneven: bool = False, seed: int = 1) -> NDArray[np.float64]:
    """Capture times of a camera; ``uneven``: of a device that leaves out four frames of ten, as they come."""
    at_s = np.arange(round(fps * seconds)) / fps
    return at_s[np.random.default_rng(seed).uniform(size=len(at_s)) > 0.4] if uneven else at_s


def _detected(
    at_s: float,
    ids: NDArray[np.int64],
    truth: NDArray[np.float32],
    *,
    rng: np.random.Generator,
    noise: Noise,
    size_wh: tuple[int, int],
) -> TrackedFrame:
    seen = rng.uniform(size=len(truth)) >= noise.missing
    boxes, count = truth[seen].astype(np.float64), int(seen.sum())
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + rng.normal(0, noise.jitter, boxes.shape) * sides
    scores = np.where(rng.uniform(size=count) < noise.low, rng.uniform(0.15, 0.5, count), rng.uniform(0.7, 0.95, count))
    class_ids = ids[seen] % _LABELS
    class_ids = np.where(rng.uniform(size=count) < noise.flipped, (class_ids + 1) % _LABELS, class_ids)
    false = int(rng.binomial(max(1, len(truth)), noise.false))
    corner = rng.uniform(0, 0.9, (false, 2)) * size_wh
    extra = np.concatenate((corner, corner + rng.uniform(0.04, 0.1, (false, 2)) * size_wh), axis=1)
    return TrackedFrame(
        at_s,
        ids,
        truth,
        np.concatenate((boxes, extra)).astype(np.float32),
        np.concatenate((scores, rng.uniform(0.3, 0.8, false))).astype(np.float32),
        np.concatenate((class_ids, rng.integers(0, _LABELS, false))).astype(np.int32),
    )
