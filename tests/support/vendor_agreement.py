"""Do our detections agree with a vendor's? Matched one to one, counted both ways, with the worst differences told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from support.reference_decode import overlap
from vigie.library.found import Found as InFrame
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.class_masks import GRID
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections
from vigie.vision.letterbox import letterbox_into

DETECTORS = Path(__file__).parents[1] / "vendor/detectors.txt"  # of the environment that several vendors share


@dataclass(frozen=True)
class Found:
    """Boxes in pixels of the picture, best score first."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


@dataclass(frozen=True)
class Agreement:
    """``matched`` of ``vendor`` and of ``ours``; the worst of the matched in pixels of the picture and in score."""

    vendor: int
    ours: int
    matched: int
    offset_px: float
    score_apart: float


def note(family: str, export: str, name: str, matched: int, total: int) -> None:
    """A row for the table of docs/models.md, into the file that VIGIE_VENDOR_TABLE names."""
    print(f"{export}: {name}: {matched} of {total}")
    if file := os.environ.get("VIGIE_VENDOR_TABLE"):
        with Path(file).open("a", encoding="utf-8") as table:
            table.write(f"| `{family}` | {export} | {name} | {matched} of {total} |\n")


@dataclass(frozen=True)
class SameClasses:
    """``matched``: classes of ``vendor`` whose class mask is the vendor's in 9 of 10 cells; ``alike``: each one's."""

    vendor: int
    ours: int
    matched: int
    alike: tuple[float, ...]


def alike_class_masks(found: InFrame, classes: np.ndarray, *, least: float = 0.9) -> SameClasses:
    """Args: classes: (H, W) class numbers in the frame's pixels, as the vendor sees them; smaller ones are left out."""
    class_masks = found.class_masks if found.class_masks is not None else np.zeros((0, GRID, GRID), np.bool_)
    wanted = np.flatnonzero(np.bincount(classes.ravel()) >= 0.001 * classes.size)
    alike = []
    for class_id, box, class_mask in zip(found.class_ids.tolist(), found.boxes_xyxy, class_masks, strict=True):
        steps = (np.arange(GRID) + 0.5) / GRID
        rows, columns = box[1] + (box[3] - box[1]) * steps, box[0] + (box[2] - box[0]) * steps
        there = classes[np.ix_(rows.astype(int), columns.astype(int))] == class_id
        outside = (classes == class_id).sum() - (
            classes[round(box[1]) : round(box[3]), round(box[0]) : round(box[2])] == class_id
        ).sum()
        if class_id in wanted and outside <= (1 - least) * (classes == class_id).sum():
            alike.append(float((there == class_mask).mean()))
    ours = int(np.isin(found.class_ids, wanted).sum())
    return SameClasses(len(wanted), ours, sum(one >= least for one in alike), tuple(round(one, 3) for one in alike))


def requirement(file: Path, package: str) -> str:
    """``ultralytics 8.4.190``, as a requirements file pins it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(line.replace("==", " ") for line in lines if line.startswith(f"{package}=="))


def through_vigie(folder: Path, frame_bgr: np.ndarray, *, score_min: float, iou_max: float) -> Found:
    """What the product finds: its own letterbox, engine, decoder and inverse, as the modules call them."""
    bundle = load_bundle(folder)
    spec = bundle.card.input
    tensor = np.empty((spec.height, spec.width, 3), np.uint8)
    transform = letterbox_into(frame_bgr, tensor, align=spec.align, pad_value=spec.pad_value)
    with open_engine(bundle) as engine:
        found: Detections = make_decoder(bundle.card)(engine.run(tensor), score_min=score_min, iou_max=iou_max)
    boxes = transform.to_frame(found.boxes_xyxy, (frame_bgr.shape[0], frame_bgr.shape[1]))
    return Found(boxes, found.scores, found.class_ids)


def agreement(ours: Found, vendor: Found, *, iou_min: float, score_within: float) -> Agreement:
    """Each of the vendor's takes the nearest of ours that is left: same class, score within, the same place.

    The same place is an overlap of ``iou_min``, or corners within a quarter of a pixel: a box that lies in the padding
    is a line along the picture's edge once it is clipped, and lines overlap nothing.
    """
    left = set(range(len(ours.scores)))
    offset, apart, matched = 0.0, 0.0, 0
    for box, score, class_id in zip(vendor.boxes_xyxy, vendor.scores, vendor.class_ids, strict=True):
        nearest, index = min(
            (
                (float(np.abs(ours.boxes_xyxy[index] - box).max()), index)
                for index in left
                if ours.class_ids[index] == class_id and abs(ours.scores[index] - score) <= score_within
            ),
            default=(np.inf, -1),
        )
        if nearest <= 0.25 or (index >= 0 and overlap(tuple(box), tuple(ours.boxes_xyxy[index])) >= iou_min):
            left.remove(index)
            matched += 1
            offset = max(offset, nearest)
            apart = max(apart, float(abs(ours.scores[index] - score)))
    return Agreement(len(vendor.scores), len(ours.scores), matched, offset, apart)
