"""What a rendered frame holds, as the judge of detections wants it."""

from __future__ import annotations

import numpy as np

from vigie.synthetic import LABELS, Scene
from vigie.synthetic.shot import Shot
from vigie.synthetic.truth import MIN_VISIBLE
from vigie_devkit.accuracy.average_precision import FrameTruth


def frame_truth(scene: Scene, index: int) -> FrameTruth:
    """Every part of frame ``index`` of which a pixel shows; those too hidden to ask for are marked ``ignore``."""
    return shot_truth(*scene.shot(index))


def shot_truth(shot: Shot, index: int) -> FrameTruth:
    """The same of frame ``index`` of one shot."""
    parts = shot.truth(index, min_visible=0.0)
    visible = set(shot.truth(index, min_visible=MIN_VISIBLE))
    return FrameTruth(
        boxes_xyxy=np.array([part.box_xyxy for part in parts], np.float64).reshape(-1, 4),
        class_ids=np.array([LABELS.index(part.label) for part in parts], np.int64),
        ignore=np.array([part not in visible for part in parts], bool),
    )
