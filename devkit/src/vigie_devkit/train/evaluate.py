"""How good a bundle is on pictures with truth, by the same engine and decoder that serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vigie.models import Bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.accuracy.average_precision import (
    Accuracy,
    FrameFound,
    FrameTruth,
    found_in_frame,
    mean_average_precision,
)
from vigie_devkit.train.dataset import LabelledPicture

# Low enough for the whole precision-recall curve, high enough that a frame stays cheap.
SCORE_MIN = 0.01
IOU_MAX = 0.6


def evaluate(bundle: Bundle, pictures: Iterable[LabelledPicture], variant: str | None = None) -> Accuracy:
    """Average precision over ``pictures``, in their own pixels."""
    truth: list[FrameTruth] = []

    def noted() -> Iterator[LabelledPicture]:
        for picture in pictures:
            truth.append(picture.truth())
            yield picture

    found = list(detections(bundle, noted(), variant))
    return mean_average_precision(truth, found, bundle.card.labels)


def detections(bundle: Bundle, pictures: Iterable[LabelledPicture], variant: str | None = None) -> Iterator[FrameFound]:
    """What the bundle finds in each picture, in its own pixels, down to a low score."""
    card = bundle.card
    tensor = np.empty((card.input.height, card.input.width, 3), np.uint8)
    decoder = make_decoder(card)
    with open_engine(bundle, variant) as engine:
        for picture in pictures:
            transform = letterbox_into(
                picture.frame_bgr, tensor, align=card.input.align, pad_value=card.input.pad_value
            )
            found = decoder(engine.run(tensor), score_min=SCORE_MIN, iou_max=IOU_MAX)
            height, width = picture.frame_bgr.shape[:2]
            yield found_in_frame(found, transform, (height, width))
