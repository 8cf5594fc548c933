"""Photographs that ship, and what they are known to show: a model that names one of these is tried on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_PEOPLE = frozenset({"person", "people", "human", "pedestrian", "woman", "man", "adult"})
_FACES = frozenset({"face", "human face", "face female", "face male"})
_CATS = frozenset({"cat", "cats", "kitten", "tabby", "tabby cat", "tiger cat", "egyptian cat", "domestic cat"})
_CUPS = frozenset({"cup", "mug", "coffee cup", "coffee mug", "espresso", "coffee"})


@dataclass(frozen=True, slots=True)
class KnownObject:
    """A thing in a photograph: what classes of it are called, and its box in the photograph's pixels."""

    word: str
    names: frozenset[str]
    box_xyxy: Box


@dataclass(frozen=True, slots=True)
class Photograph:
    """``file``: in the folder ``photographs`` beside this file, whose README says where it comes from."""

    file: str
    shows: tuple[KnownObject, ...]

    def read(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR."""
        content = (resources.files(__package__) / "photographs" / self.file).read_bytes()
        return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)


PHOTOGRAPHS = (
    Photograph("cat.jpg", (KnownObject("cat", _CATS, (0, 0, 451, 300)),)),
    Photograph("cup.jpg", (KnownObject("cup", _CUPS, (162, 16, 421, 295)),)),
    Photograph(
        "person.jpg",
        (KnownObject("person", _PEOPLE, (11, 20, 385, 510)), KnownObject("face", _FACES, (172, 72, 275, 190))),
    ),
)


def class_ids_of(known: KnownObject, labels: Sequence[str]) -> tuple[int, ...]:
    """The classes that are called what is shown; of a label with commas, each part is a name."""
    return tuple(
        index
        for index, label in enumerate(labels)
        if any(re.sub(r"[^a-z0-9]+", " ", part.lower()).strip() in known.names for part in label.split(","))
    )


@dataclass(frozen=True, slots=True)
class PhotographView:
    """One way to look at a photograph: its pixels (H, W, 3) uint8 BGR and where its known things are in them."""

    frame_bgr: NDArray[np.uint8]
    boxes_xyxy: tuple[Box, ...]


def views(photograph: Photograph) -> list[PhotographView]:
    """As it is, mirrored, cut at two corners, darker, and smaller: what a model finds in one it should find in all."""
    frame = photograph.read()
    height, width = frame.shape[:2]
    boxes = tuple(known.box_xyxy for known in photograph.shows)
    x, y = width // 16, height // 16
    left, top = width // 4, height // 4
    padded = cv2.copyMakeBorder(frame, top, top, left, left, cv2.BORDER_REPLICATE)
    return [
        PhotographView(frame, boxes),
        PhotographView(np.ascontiguousarray(frame[:, ::-1]), tuple(_mirrored(box, width) for box in boxes)),
        PhotographView(np.ascontiguousarray(frame[y:, x:]), tuple(_moved(box, -x, -y) for box in boxes)),
        PhotographView(
            np.ascontiguousarray(frame[: height - y, : width - x][:, ::-1]),
            tuple(_mirrored(box, width - x) for box in boxes),
        ),
        PhotographView(np.asarray(cv2.convertScaleAbs(frame, alpha=0.75, beta=10), np.uint8), boxes),
        PhotographView(np.asarray(padded, np.uint8), tuple(_moved(box, left, top) for box in boxes)),
    ]


def _mirrored(box: Box, width: int) -> Box:
    return (width - box[2], box[1], width - box[0], box[3])


def _moved(box: Box, x: int, y: int) -> Box:
    return (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
