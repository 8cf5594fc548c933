"""Run by the Python of the vendor's own environment, never by ours: what InsightFace finds with SCRFD files.

Arguments: a folder of NAME.onnx, a photograph (``.npy``, BGR). Writes NAME.npz each: boxes, scores, landmarks, in
pixels of the photograph. Nothing is suppressed: the vendor counts a pixel more to each side of an overlap.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np

SCORE_MIN, IOU_MAX = 0.35, 1.0


def main(folder: Path, photograph: Path) -> None:
    # The packages' own __init__ loads face recognition and all that it needs; the detector is one file of them.
    home = Path(importlib.util.find_spec("insightface").origin).parent
    for name, path in (("insightface", home), ("insightface.model_zoo", home / "model_zoo")):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package
    from insightface.model_zoo.scrfd import SCRFD  # not before the above

    frame_bgr = np.load(photograph)
    for file in sorted(folder.glob("*.onnx")):
        detector = SCRFD(str(file))
        detector.prepare(-1, nms_thresh=IOU_MAX, det_thresh=SCORE_MIN)
        found, points = detector.detect(frame_bgr)
        written = {"boxes_xyxy": found[:, :4], "scores": found[:, 4]}
        if points is not None:
            written["points"] = points
        np.savez(file.with_suffix(".npz"), **written)
        print(f"{file.stem}: {len(found)} faces")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
