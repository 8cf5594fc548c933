"""Do two sets of detections show the same things?"""

from __future__ import annotations

import numpy as np

from vigie.vision.detections import Detections
from vigie.vision.likeness import likeness_matrix

# A box without an area overlaps nothing, not even itself; corners this near are the same place. Not where key points,
# masks or angles tell things of one box apart.
SAME_PLACE_PX = 0.1


def count_matched(wanted: Detections, found: Detections, *, iou_min: float, score_within: float) -> int:
    """How many of ``wanted`` have a detection of the same class, place (IoU, key points) and score in ``found``.

    Several may share one counterpart: this asks what is missing, not whether the counts agree.
    """
    if not len(wanted) or not len(found):
        return 0
    apart_px = np.abs(wanted.boxes_xyxy[:, None] - found.boxes_xyxy).max(axis=2)
    same = likeness_matrix(wanted, found) >= iou_min
    parts = (wanted.keypoints, wanted.masks, wanted.oriented, wanted.embeddings, wanted.class_masks)
    if all(part is None for part in parts):
        same |= apart_px <= SAME_PLACE_PX
    same &= wanted.class_ids[:, None] == found.class_ids
    same &= np.abs(wanted.scores[:, None] - found.scores) <= score_within
    return int(same.any(axis=1).sum())
