"""Who is who from frame to frame: detections of one camera get the number of the object that they are.

Two stages, as in ByteTrack: good detections are matched with all tracks, then weak ones with the tracks that are left,
so an object whose score hovers keeps its number. Time is in seconds, because frames are dropped and cameras are slow.
Association does not ask for the class: a label that flips must not make a second object of one.
Source: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.vision.boxes import iou_matrix
from vigie.vision.motion import Motion

# Detections below this are noise to both stages.
WEAK_SCORE = 0.1
_LOST_FRAMES = 3.5
# A frame this long after the one before says nothing about who is who.
_GAP_LIMIT_S = 10.0
# Overlap that a pair needs: at 30 frames/s nothing moves far, and a crowd must not trade places; at 5 frames/s, and
# while a track's speed is not known, a fast object barely overlaps its prediction (docs/benchmarks/tracking.md).
_GATE_QUICK, _GATE_SLOW, _GATE_WEAK = 0.2, 0.02, 0.05
_QUICK_S, _SLOW_S = 1 / 30, 1 / 6
# What another class takes from the overlap when pairs compete: labels flip, but they are evidence.
_OTHER_CLASS = 0.2


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """``good_score``: detections from here on begin tracks. ``lost_s``: unseen tracks are kept so long, or
    three frames.

    ``hits``: a track has a number from this many matches on, so that a false detection of one frame gets none.
    """

    good_score: float = 0.6
    lost_s: float = 1.0
    hits: int = 2


class Tracker:
    """One camera. Not for several threads at once."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        """No track yet."""
        self.settings = settings or TrackerSettings()
        self._motion = Motion()
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        self._hits: NDArray[np.int64] = np.empty(0, np.int64)
        self._seen_s: NDArray[np.float64] = np.empty(0)
        self._classes: NDArray[np.int32] = np.empty(0, np.int32)
        self._at_s: float | None = None
        self._given = 0

    def __len__(self) -> int:
        return len(self._motion)

    def update(
        self,
        boxes_xyxy: NDArray[np.float32],
        scores: NDArray[np.float32],
        class_ids: NDArray[np.int32],
        at_s: float,
    ) -> NDArray[np.int64]:
        """Take the detections of one frame.

        Args: boxes_xyxy: (N, 4) in pixels of the frame. scores: (N,). class_ids: (N,). at_s: time of capture in
            seconds, from any clock that runs on; a frame that is not later than the one before gets no numbers.
        Returns: (N,) numbers from 1, 0 for those without one: weak detections that are nobody's, and first sights.
        """
        numbers = np.zeros(len(scores), np.int64)
        if self._at_s is not None:
            dt_s = at_s - self._at_s
            if dt_s <= 0:
                return numbers
            # Of a slow camera, some frames: else one missed detection would end a track.
            lost_s = max(self.settings.lost_s, min(_LOST_FRAMES * dt_s, _GAP_LIMIT_S))
            self._keep(at_s - self._seen_s <= lost_s)
            self._motion.predict(dt_s)
        self._at_s = at_s
        good = scores >= self.settings.good_score
        begin = good
        if len(self) and len(scores):
            begin = good.copy()
            rows, columns = self._pairs(boxes_xyxy, class_ids, good, scores >= WEAK_SCORE, at_s)
            if len(rows):
                self._seen(rows, boxes_xyxy[columns], class_ids[columns], at_s)
                numbers[columns] = self._numbers[rows]
                begin[columns] = False
        self._keep((self._numbers > 0) | (self._seen_s == at_s))  # a first sight ends at its first miss
        if begin.any():
            self._begin(boxes_xyxy[begin], class_ids[begin], at_s)
        return numbers

    def _pairs(
        self,
        boxes_xyxy: NDArray[np.float32],
        class_ids: NDArray[np.int32],
        good: NDArray[np.bool_],
        usable: NDArray[np.bool_],
        at_s: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Tracks and their detections: good ones first, then greatest overlap first.

        Greedy, in an order that equal inputs share on every machine: the best assignment of all would find no better
        one here (docs/benchmarks/tracking.md).
        """
        overlap = iou_matrix(self._motion.boxes_xyxy(), boxes_xyxy)
        gates = self._gates(at_s)[:, None]
        least = np.where(good, gates, np.maximum(gates, _GATE_WEAK))
        rows, columns = np.nonzero((overlap >= least) & usable)
        likeness = overlap[rows, columns] - _OTHER_CLASS * (self._classes[rows] != class_ids[columns])
        order = np.lexsort((-likeness, ~good[columns]))
        free_rows, free_columns = [True] * len(self), [True] * len(boxes_xyxy)
        chosen_rows, chosen_columns = [], []
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            if free_rows[row] and free_columns[column]:
                free_rows[row] = free_columns[column] = False
                chosen_rows.append(row)
                chosen_columns.append(column)
        return np.array(chosen_rows, np.intp), np.array(chosen_columns, np.intp)

    def _gates(self, at_s: float) -> NDArray[np.float64]:
        """Least overlap of each track with a detection: it falls with the time since the track was seen."""
        share = np.clip((at_s - self._seen_s - _QUICK_S) / (_SLOW_S - _QUICK_S), 0.0, 1.0)
        share[self._hits < self.settings.hits] = 1.0
        return _GATE_QUICK - (_GATE_QUICK - _GATE_SLOW) * share

    def _seen(
        self, rows: NDArray[np.intp], boxes_xyxy: NDArray[np.float32], class_ids: NDArray[np.int32], at_s: float
    ) -> None:
        self._motion.correct(rows, boxes_xyxy)
        self._hits[rows] += 1
        self._seen_s[rows] = at_s
        self._classes[rows] = class_ids
        for row in rows[(self._numbers[rows] == 0) & (self._hits[rows] >= self.settings.hits)]:
            self._given += 1
            self._numbers[row] = self._given

    def _begin(self, boxes_xyxy: NDArray[np.float32], class_ids: NDArray[np.int32], at_s: float) -> None:
        count = len(boxes_xyxy)
        self._motion.add(boxes_xyxy)
        self._numbers = np.concatenate((self._numbers, np.zeros(count, np.int64)))
        self._hits = np.concatenate((self._hits, np.ones(count, np.int64)))
        self._seen_s = np.concatenate((self._seen_s, np.full(count, at_s)))
        self._classes = np.concatenate((self._classes, class_ids))

    def _keep(self, keep: NDArray[np.bool_]) -> None:
        if keep.all():
            return
        self._motion.keep(keep)
        self._numbers, self._hits = self._numbers[keep], self._hits[keep]
        self._seen_s, self._classes = self._seen_s[keep], self._classes[keep]
