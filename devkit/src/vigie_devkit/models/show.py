"""Pictures with what a bundle finds in them, so that a person sees at once whether it was read rightly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.errors import BundleError, ModelFileError
from vigie.models import Card, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.models.evidence.photographs import PHOTOGRAPHS

# Enough to judge places and sizes by, also where a drawn picture holds nothing that the model knows.
_SHOWN_AT_LEAST, _SCORE_LOW = 5, 0.01


def show_bundle(folder: Path, target: Path, pictures: Sequence[Path]) -> list[Path]:
    """Draw what the bundle finds in these pictures, or in its reference frames and the photographs that ship.

    Returns: the JPEG files, in ``target``.

    Raises: BundleError: the folder cannot be written. ModelFileError: a picture cannot be read.
    """
    bundle = load_bundle(folder)
    card = bundle.card
    decoder = make_decoder(card)
    frames = [(f"reference-{index}", pair.tensor_hwc) for index, pair in enumerate(read_reference(bundle))]
    frames += [(Path(one.file).stem, _fit(one.read(), card)) for one in PHOTOGRAPHS]
    frames = [(file.stem, _fitted(file, card)) for file in pictures] or frames
    written = []
    with open_engine(bundle) as engine:
        for name, tensor_hwc in frames:
            outputs = engine.run(tensor_hwc)
            found = decoder(outputs, score_min=card.thresholds.score_min, iou_max=card.thresholds.iou_max)
            if len(found) < _SHOWN_AT_LEAST:
                weak = decoder(outputs, score_min=_SCORE_LOW, iou_max=card.thresholds.iou_max)
                found = weak.first(_SHOWN_AT_LEAST)
            written.append(_write(target / f"{name}.jpg", draw(tensor_hwc, found, card)))
    return written


def draw(tensor_hwc: NDArray[np.uint8], found: Detections, card: Card) -> NDArray[np.uint8]:
    """A copy of the tensor (H, W, 3) BGR with boxes: green at the card's score or above, grey below it."""
    canvas = np.ascontiguousarray(tensor_hwc.copy())
    for box, score, label in zip(found.boxes_xyxy, found.scores, found.class_ids, strict=True):
        colour = (64, 200, 64) if score >= card.thresholds.score_min else (150, 150, 150)
        limits = np.clip(box, -1e4, 1e4).round().astype(int)
        x1, y1, x2, y2 = (int(side) for side in limits)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
        text = f"{card.labels[int(label)]} {float(score):.2f}"
        cv2.putText(canvas, text, (max(x1, 0) + 2, max(y1, 12)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return canvas


def _fitted(file: Path, card: Card) -> NDArray[np.uint8]:
    frame_bgr = cv2.imread(str(file))
    if frame_bgr is None:
        raise ModelFileError(str(file), "is not a picture that OpenCV reads; pass a JPEG or PNG")
    return _fit(np.asarray(frame_bgr, np.uint8), card)


def _fit(frame_bgr: NDArray[np.uint8], card: Card) -> NDArray[np.uint8]:
    tensor_hwc = np.empty((card.input.height, card.input.width, 3), np.uint8)
    letterbox_into(frame_bgr, tensor_hwc, align=card.input.align, pad_value=card.input.pad_value)
    return tensor_hwc


def _write(file: Path, picture: NDArray[np.uint8]) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        done, encoded = cv2.imencode(".jpg", picture)
        if done:
            file.write_bytes(encoded.tobytes())
    except OSError as error:
        raise BundleError(str(file), f"cannot be written: {error.strerror}; pass another --show FOLDER") from error
    return file
