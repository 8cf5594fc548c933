"""More pictures out of few: four in one, objects pasted into other pictures, other sizes.

Sources: mosaic: Bochkovskiy et al., "YOLOv4" (2020). Pasting with soft borders: Dwibedi et al., "Cut, Paste and Learn"
(2017); here of boxes with some ground around them, since a box is all that is known of an object. The last epochs see
pictures as they are (Ge et al., "YOLOX", 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie_devkit.train.dataset import PAD_VALUE, Dataset

# Of an object that leaves the picture: with less of it inside, it is neither asked for nor taken for background.
LEAST_KEPT = 0.35
SIDE_MIN_PX = 2.0
MARGIN = 0.12  # of ground around a pasted object, as a share of its size
PASTED_MAX = 4
COVERED_MAX = 0.15  # of what was there before, by a pasted object


@dataclass(frozen=True, slots=True)
class Augment:
    """Shares of pictures, 0..1: ``mosaic`` of four, ``paste`` with objects of others; ``scale``: least and greatest."""

    mosaic: float = 0.5
    paste: float = 0.5
    scale: tuple[float, float] = (0.6, 1.5)


@dataclass(slots=True)
class _Canvas:
    """A picture under way: (H, W, 3) uint8, boxes (N, 4), labels (N,), ignore (N,)."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignore: NDArray[np.bool_]

    def add(self, boxes: NDArray[np.float32], labels: NDArray[np.int64], ignore: NDArray[np.bool_]) -> None:
        self.boxes = np.concatenate([self.boxes, boxes]).astype(np.float32)
        self.labels = np.concatenate([self.labels, labels])
        self.ignore = np.concatenate([self.ignore, ignore])


def augmented(data: Dataset, index: int, chance: np.random.Generator, augment: Augment) -> Dataset:
    """One new picture about picture ``index``, of the same size, as a data set of one."""
    height, width = data.images.shape[1:3]
    canvas = _Canvas(
        np.full((height, width, 3), PAD_VALUE, np.uint8),
        np.empty((0, 4), np.float32),
        np.empty(0, np.int64),
        np.empty(0, bool),
    )
    if chance.random() < augment.mosaic:
        x, y = int(width * chance.uniform(0.3, 0.7)), int(height * chance.uniform(0.3, 0.7))
        areas = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
        others = chance.integers(0, len(data), 3)
        for which, area in zip(chance.permutation([index, *others]), areas, strict=True):
            _lay(canvas, data, int(which), area, chance=chance, scale=_scale(chance, augment))
    else:
        _lay(canvas, data, index, (0, 0, width, height), chance=chance, scale=_scale(chance, augment))
    if chance.random() < augment.paste:
        _paste(canvas, data, int(chance.integers(0, len(data))), chance, augment)
    return Dataset(canvas.image[None], [canvas.boxes], [canvas.labels], [canvas.ignore])


def _lay(
    canvas: _Canvas,
    data: Dataset,
    index: int,
    area: tuple[int, int, int, int],
    *,
    chance: np.random.Generator,
    scale: float,
) -> None:
    """Fill ``area`` (left, top, right, bottom) with a stretch of a picture at ``scale`` times its size."""
    left, top, right, bottom = area
    picture = data.images[index]
    resized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    height, width = resized.shape[:2]
    # Where the picture's corner lies, seen from the area's: anywhere that wastes neither picture nor area.
    spare_x, spare_y = (right - left) - width, (bottom - top) - height
    dx = int(chance.integers(min(0, spare_x), max(0, spare_x) + 1))
    dy = int(chance.integers(min(0, spare_y), max(0, spare_y) + 1))
    x0, y0 = max(0, -dx), max(0, -dy)
    x1, y1 = min(width, right - left - dx), min(height, bottom - top - dy)
    canvas.image[top + dy + y0 : top + dy + y1, left + dx + x0 : left + dx + x1] = resized[y0:y1, x0:x1]
    whole = data.boxes_xyxy[index] * scale + np.array((dx, dy, dx, dy), np.float32)
    boxes = np.clip(whole, 0, np.array((right - left, bottom - top) * 2, np.float32))
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = sides.prod(axis=1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-6)
    seen = kept > 0
    hidden = data.ignore[index] | (kept < LEAST_KEPT) | (sides.min(axis=1, initial=np.inf) < SIDE_MIN_PX)
    offset = np.array((left, top, left, top), np.float32)
    canvas.add(boxes[seen] + offset, data.class_ids[index][seen], hidden[seen])


def _scale(chance: np.random.Generator, augment: Augment) -> float:
    """Even in its logarithm: half the size is as likely as twice."""
    return float(np.exp(chance.uniform(*np.log(augment.scale))))


def _paste(canvas: _Canvas, data: Dataset, index: int, chance: np.random.Generator, augment: Augment) -> None:
    """Put some objects of picture ``index`` where they cover little of what is there."""
    height, width = canvas.image.shape[:2]
    usable = np.flatnonzero(~data.ignore[index])
    for which in chance.permutation(usable)[: int(chance.integers(1, PASTED_MAX + 1))]:
        box = data.boxes_xyxy[index][which]
        margin = MARGIN * (box[2:] - box[:2])
        low = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
        high = np.minimum(np.ceil(box[2:] + margin), (width, height)).astype(int)
        patch = data.images[index, low[1] : high[1], low[0] : high[0]]
        scale = _scale(chance, augment)
        size = np.maximum(1, np.round((high - low) * scale)).astype(int)
        if size[0] >= width or size[1] >= height or (size < 4).any():
            continue
        own = (box - np.tile(low, 2)) * np.tile(size / (high - low), 2)
        patch = np.asarray(cv2.resize(patch, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), np.uint8)
        if chance.random() < 0.5:
            patch, own[[0, 2]] = patch[:, ::-1], size[0] - own[[2, 0]]
        at = np.array((chance.integers(0, width - size[0]), chance.integers(0, height - size[1])))
        placed = (own + np.tile(at, 2)).astype(np.float32)
        if len(canvas.boxes) and _covered(canvas.boxes, placed).max() > COVERED_MAX:
            continue
        _blend(canvas.image[at[1] : at[1] + size[1], at[0] : at[0] + size[0]], patch, own)
        canvas.add(placed[None], data.class_ids[index][which : which + 1], np.zeros(1, bool))


def _blend(ground: NDArray[np.uint8], patch: NDArray[np.uint8], own: NDArray[np.float64]) -> None:
    """Lay ``patch`` over ``ground``: whole inside the object's box ``own``, fading to the patch's border."""
    height, width = patch.shape[:2]
    x, y = np.arange(width, dtype=np.float64) + 0.5, np.arange(height, dtype=np.float64) + 0.5
    across = np.minimum(_ramp(x, own[0], own[2], width)[None, :], _ramp(y, own[1], own[3], height)[:, None])[..., None]
    ground[:] = np.round(ground + across * (patch.astype(np.float32) - ground)).astype(np.uint8)


def _ramp(at: NDArray[np.float64], low: float, high: float, end: float) -> NDArray[np.float64]:
    """0 at both borders, 1 from ``low`` to ``high``."""
    up = at / max(low, 1e-6) if low > 0 else np.ones_like(at)
    down = (end - at) / max(end - high, 1e-6) if high < end else np.ones_like(at)
    return np.clip(np.minimum(up, down), 0, 1)


def _covered(boxes: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of each box that ``by`` covers."""
    shared = np.clip(np.minimum(boxes[:, 2:], by[2:]) - np.maximum(boxes[:, :2], by[:2]), 0, None).prod(axis=1)
    own = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-6)
    covered: NDArray[np.float32] = shared / own
    return covered
