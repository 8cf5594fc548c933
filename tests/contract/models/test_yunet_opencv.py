"""YuNet's decoder, landmarks too, against OpenCV's own face detector, which is where the outputs are written down."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support import models
from vigie import open_model
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene

# OpenCV suppresses on boxes rounded to whole pixels, so suppression is left out on both sides.
KEEP_ALL = 1.0


@pytest.mark.parametrize("score_min", [0.3, 0.5, 0.99], ids=["crowded", "many", "none"])
def test_faces_are_those_that_opencv_finds(tmp_path: Path, score_min: float) -> None:
    exported = models.save(models.yunet(), tmp_path)
    folder = import_model(exported, tmp_path / "bundle")
    for seed in (1, 2, 3):
        picture = scene((64, 96), seed=seed)
        detector = cv2.FaceDetectorYN_create(str(exported), "", (96, 64), score_min, KEEP_ALL, 5000)
        _, rows = detector.detect(picture)
        rows = np.empty((0, 15), np.float32) if rows is None else rows
        theirs = rows[np.argsort(-rows[:, 14], kind="stable")]

        with open_model(folder) as model:
            ours = model(picture, score_min=score_min, iou_max=KEEP_ALL)

        # OpenCV does not clip to the picture, the inverse of our letterbox does.
        corners = np.clip(np.hstack((theirs[:, :2], theirs[:, :2] + theirs[:, 2:4])), 0, [96, 64, 96, 64])
        assert ours.scores == pytest.approx(theirs[:, 14], abs=1e-4)
        assert ours.boxes_xyxy == pytest.approx(corners, abs=0.02)
        landmarks = np.clip(theirs[:, 4:14].reshape(-1, 5, 2), 0, [96, 64])
        assert (np.empty((0, 5, 3)) if ours.keypoints is None else ours.keypoints)[:, :, :2] == pytest.approx(
            landmarks, abs=0.02
        )
    assert len(rows) > 100 or score_min > 0.3
