"""What a reading of a model sees in the photographs that ship: which way to feed it finds the things that it names.

A wrong order of channels or a wrong range does not stop a network, it blurs it: the same things are found with less
certainty, in fewer views. Ways to feed are therefore compared view by view, on things that are known to be there. The
size of scores alone proves nothing: pixels that are too large saturate a network, which is then sure of everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import iou_matrix
from vigie.vision.decoders import decoder_of
from vigie.vision.decoding import Decoder, DecoderFacts
from vigie.vision.detections import Detections
from vigie.vision.letterbox import letterbox_into
from vigie.vision.transform import plan_transform
from vigie_devkit.models.evidence.photographs import PHOTOGRAPHS, Box, PhotographView, class_ids_of, views
from vigie_devkit.models.evidence.spelling import spell
from vigie_devkit.models.fold import feed_original
from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Signature

# Measured on YOLOX-nano (bgr/0..255) and NudeNet (rgb/0..1): the right feed reaches 0.82 in the mean over the views,
# the next one 0.73 and 0.76, and is ahead in no more than one view of six (docs/decisions/0070).
SURE_MIN, LEAD_MIN, VIEWS_MIN, ALIKE = 0.5, 0.03, 0.75, 0.02
_SAME_PLACE, _SCORE_LOW = 0.4, 0.01
# More things than this in a photograph of one thing: the network is saturated, and its certainty means nothing.
_CROWD, _CROWD_SCORE = 30, 0.3

Run = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]


@dataclasses.dataclass(frozen=True, slots=True)
class FeedComparison:
    """``sure`` (F, V): how sure each of ``feeds`` is of what is known to be in each view, 0..1; ``words``: of what."""

    feeds: tuple[Feed, ...]
    sure: NDArray[np.float64]
    words: tuple[str, ...]

    @property
    def winner(self) -> Feed | None:
        """The one feed that is sure of what it sees, surer than each other, and behind in few views; else ``None``."""
        means = self.sure.mean(axis=1)
        best = int(means.argmax())
        others = np.delete(self.sure, best, axis=0)
        clear = means[best] - others.mean(axis=1) >= LEAD_MIN
        clear &= (self.sure[best] > others - ALIKE).mean(axis=1) >= VIEWS_MIN
        return self.feeds[best] if means[best] >= SURE_MIN and clear.all() else None

    def __str__(self) -> str:
        means = self.sure.mean(axis=1)
        told = ", ".join(f"{spell(self.feeds[at])} {means[at]:.2f}" for at in np.argsort(-means, kind="stable"))
        return (
            f"of the {' and the '.join(self.words)} in {self.sure.shape[1]} views of photographs it is sure by {told}"
        )


class Looker:
    """A model that looks at the photographs: reading and class names settled, the feed open."""

    def __init__(self, signature: Signature, reading: Recognition, labels: Sequence[str], run: Run) -> None:
        self._signature, self._reading, self._labels, self._run = signature, reading, labels, run
        shapes = {port.name: port.shape for port in signature.outputs}
        facts = DecoderFacts(
            signature.file, signature.input_hw, len(labels), tuple(shapes[name] for name in reading.outputs)
        )
        self._decoder: Decoder = decoder_of(reading.decoder, reading.params, facts)
        self._fixed = {
            port.name: np.array(reading.fixed_inputs[port.name], port.dtype).reshape(port.shape)
            for port in signature.inputs
            if port.name in reading.fixed_inputs
        }

    def compare(self, feeds: Sequence[Feed]) -> FeedComparison | None:
        """How sure each feed is of the known things; ``None`` where the model names none of them."""
        words, rows = [], []
        for photograph in PHOTOGRAPHS:
            wanted = [(at, known, class_ids_of(known, self._labels)) for at, known in enumerate(photograph.shows)]
            wanted = [one for one in wanted if one[2]]
            if not wanted:
                continue
            words += [known.word for _, known, _ in wanted]
            for view in views(photograph):
                seen = [self._see(view, feed) for feed in feeds]
                rows += [
                    [
                        self._sure(found, view.boxes_xyxy[at], class_ids, feed, view)
                        for found, feed in zip(seen, feeds, strict=True)
                    ]
                    for at, _, class_ids in wanted
                ]
        return FeedComparison(tuple(feeds), np.array(rows, np.float64).T, tuple(words)) if rows else None

    def name(self, feed: Feed) -> tuple[list[str], list[str]]:
        """What it calls the known things: rightly (``cat 0.62``), and by another name (``the cat 'dog' 0.90``)."""
        right, wrong = [], []
        for photograph in PHOTOGRAPHS:
            view = views(photograph)[0]
            found = None
            for at, known in enumerate(photograph.shows):
                class_ids = class_ids_of(known, self._labels)
                if not class_ids:
                    continue
                found = found or self._see(view, feed)
                sure = self._sure(found, view.boxes_xyxy[at], class_ids, feed, view)
                there = self._there(found, view.boxes_xyxy[at], feed, view)
                if sure >= SURE_MIN:
                    right.append(f"{known.word} {sure:.2f}")
                elif len(there) and there.scores.max() >= SURE_MIN:
                    best = int(there.scores.argmax())
                    label = self._labels[int(there.class_ids[best])]
                    wrong.append(f"the {known.word} '{label}' {there.scores[best]:.2f}")
        return right, wrong

    def _see(self, view: PhotographView, feed: Feed) -> Detections:
        signature = self._signature
        tensor = np.empty((*signature.input_hw, 3), np.uint8)
        letterbox_into(view.frame_bgr, tensor, align=feed.align, pad_value=feed.pad_value)
        image = signature.image
        fed = feed_original(tensor, feed, nhwc=signature.nhwc, dtype=image.dtype, batch=len(image.shape) == 4)
        outputs = self._run({image.name: fed, **self._fixed})
        return self._decoder([outputs[name] for name in self._reading.outputs], score_min=_SCORE_LOW, iou_max=0.5)

    def _sure(self, found: Detections, box: Box, class_ids: Sequence[int], feed: Feed, view: PhotographView) -> float:
        """The best score of these classes at this place of the view; 0 of a network that sees things everywhere."""
        if (found.scores >= _CROWD_SCORE).sum() > _CROWD:
            return 0.0
        there = self._there(found, box, feed, view)
        named = there.scores[np.isin(there.class_ids, class_ids)]
        return float(named.max()) if len(named) else 0.0

    def _there(self, found: Detections, box: Box, feed: Feed, view: PhotographView) -> Detections:
        """What was found at this place; everything of a model whose boxes are the whole picture."""
        if self._reading.task in {"classification", "multilabel"} or not len(found):
            return found
        height, width = view.frame_bgr.shape[:2]
        place = plan_transform((height, width), self._signature.input_hw, feed.align).to_tensor(
            np.array([box], np.float32)
        )
        return found.at(iou_matrix(found.boxes_xyxy, place)[:, 0] >= _SAME_PLACE)
