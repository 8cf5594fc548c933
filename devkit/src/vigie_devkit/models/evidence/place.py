"""Do boxes lie where the picture matters? Blotted out there, a detection fades; blotted out elsewhere, it stays.

Finished boxes of a square input look alike with x and y exchanged: both lie inside the picture, both have their corners
in order, and no name or shape tells. So the best detections are blotted out of the picture, once where the reading says
that they are, once at the mirrored place, and the one that costs them their score is the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import iou_matrix
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections

Run = Callable[[NDArray[np.uint8]], Sequence[NDArray[Any]]]

# Decoders of boxes that the graph has finished: of dense heads the grid of cells tells the order of the columns.
FINISHED = frozenset({"finished", "end2end", "ssd"})
_SCORE_MIN, _LOOKED_AT = 0.01, 12
_APART, _LARGEST = 0.1, 0.25  # IoU of what is blotted out with what is not; share of the picture
_FADES = 0.2  # of the score, more than at the other place
_VOTES_MIN, _MOST = 3, 0.8
_SAME_PLACE = 0.6


def exchanged(decoder: Decoder, run: Run, pictures: Sequence[NDArray[np.uint8]], shares: bool) -> str:  # noqa: FBT001
    """Why x and y of the boxes are the other way round; empty where they are not, or nothing tells.

    Args: run: outputs of the folded graph, in the card's order, of a picture (H, W, 3) uint8 BGR. shares: the file
        writes boxes in 0..1, so that exchanging x and y also exchanges the sides that they are shares of.
    """
    here = there = 0
    for picture in pictures:
        found = decoder(run(picture), score_min=_SCORE_MIN, iou_max=0.5)
        own, mirrored = _worth_looking_at(found, picture.shape[:2], shares=shares)
        if not len(own):
            continue
        kept = []
        for places in (mirrored, own.boxes_xyxy):
            seen = [decoder(run(blotted), score_min=0.0, iou_max=1.0) for blotted in _blotted(picture, places)]
            kept.append(np.mean([_left(own, found) for found in seen], axis=0))
        lead = (kept[0] - kept[1]) / own.scores
        here += int((lead > _FADES).sum())
        there += int((lead < -_FADES).sum())
    if there < _VOTES_MIN or there < _MOST * (here + there):
        return ""
    return (
        f"x and y of its boxes are the other way round: {there} of {here + there} detections fade where the picture is "
        "blotted out at the mirrored place, and not at their own"
    )


def _worth_looking_at(
    found: Detections, size_hw: tuple[int, int], *, shares: bool
) -> tuple[Detections, NDArray[np.float32]]:
    """The best detections whose places and mirrored places (K, 4) lie apart from each other, and these."""
    height, width = size_hw
    sides = np.array([width, height, width, height], np.float32)
    places = np.clip(found.boxes_xyxy, 0, sides)
    mirrored = places[:, [1, 0, 3, 2]]
    if shares:
        mirrored = mirrored * np.array([width / height, height / width] * 2, np.float32)
    area = np.prod(places[:, 2:] - places[:, :2], axis=1) / (width * height)
    usable = (area > 0) & (area <= _LARGEST) & (mirrored <= sides).all(axis=1)
    chosen: list[int] = []
    for index in np.flatnonzero(usable)[np.argsort(-found.scores[usable], kind="stable")].tolist():
        taken = [*chosen, index]
        if iou_matrix(places[taken], mirrored[taken]).max() <= _APART:
            chosen = taken
        if len(chosen) == _LOOKED_AT:
            break
    return found.at(np.array(chosen, np.int64)), mirrored[chosen]


def _blotted(picture: NDArray[np.uint8], places_xyxy: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """The picture with these places in its mean colour, or with what other places of it show: one may change little.

    Not in black or white: a network that scales its picture as a whole would then see all of it otherwise.
    """
    height, width = picture.shape[:2]
    inside = np.zeros((height, width, 1), np.bool_)
    for left, top, right, bottom in places_xyxy:
        inside[int(max(top, 0)) : int(np.ceil(bottom)), int(max(left, 0)) : int(np.ceil(right))] = True
    mean = picture.mean(axis=(0, 1)).astype(np.uint8)
    elsewhere = np.roll(picture, (height // 2, width // 2), axis=(0, 1))
    return [np.where(inside, other, picture) for other in (mean, elsewhere, picture[::-1, ::-1])]


def _left(own: Detections, found: Detections) -> NDArray[np.float32]:
    """(K,): the score that each of ``own`` still has, of its class and at its place; 0 where it is gone."""
    if not len(found):
        return np.zeros(len(own), np.float32)
    same = (iou_matrix(own.boxes_xyxy, found.boxes_xyxy) >= _SAME_PLACE) & (
        own.class_ids[:, None] == found.class_ids[None]
    )
    return np.asarray(np.where(same, found.scores[None], 0.0).max(axis=1), np.float32)
