"""Runs every tracker over the sequences that ``tracking`` wrote. In an environment of its own, started by its path.

The package ``trackers`` brings its metrics (HOTA, CLEAR, identity as in TrackEval): they judge all trackers, ours too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vigie.vision.tracking import Tracker

Update = Callable[[Any, Any, Any, float], tuple[Any, Any]]


def trackers_of(fps: float) -> dict[str, Callable[[], Update]]:
    import supervision as sv
    from trackers import ByteTrackTracker, SORTTracker

    def theirs(make: Callable[[], Any]) -> Callable[[], Update]:
        def begin() -> Update:
            tracker = make()

            def update(boxes: Any, scores: Any, classes: Any, at_s: float) -> tuple[Any, Any]:
                found = tracker.update(sv.Detections(xyxy=boxes, confidence=scores, class_id=classes), timestamp=at_s)
                named = found.tracker_id >= 0
                return found.xyxy[named], found.tracker_id[named]

            return update

        return begin

    def ours() -> Update:
        tracker = Tracker()

        def update(boxes: Any, scores: Any, classes: Any, at_s: float) -> tuple[Any, Any]:
            numbers = tracker.update(boxes, scores, classes, at_s)
            return boxes[numbers > 0], numbers[numbers > 0]

        return update

    return {
        "vigie": ours,
        "ByteTrack": theirs(lambda: ByteTrackTracker(frame_rate=fps)),
        "SORT": theirs(lambda: SORTTracker(frame_rate=fps)),
    }


def judge(frames: Any, update: Update) -> dict[str, float]:
    from trackers.eval import box_iou, compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

    truth, given, alike, spent = [], [], [], 0.0
    names: dict[int, int] = {}
    for at_s, ids, truth_xyxy, boxes, scores, classes in frames:
        begun = time.process_time()
        found, numbers = update(boxes, scores, classes, at_s)
        spent += time.process_time() - begun
        truth.append(ids - 1)
        given.append(np.array([names.setdefault(int(number), len(names)) for number in numbers], np.int64))
        alike.append(box_iou(truth_xyxy, np.asarray(found, np.float32).reshape(-1, 4), box_format="xyxy"))
    clear = compute_clear_metrics(truth, given, alike)
    return {
        "idf1": 100 * float(compute_identity_metrics(truth, given, alike)["IDF1"]),
        "hota": 100 * float(compute_hota_metrics(truth, given, alike)["HOTA"]),
        "mota": 100 * float(clear["MOTA"]),
        "switches": int(clear["IDSW"]),
        "ids": len(names),
        "ms": 1e3 * spent / len(frames),
    }


def main() -> int:
    """Print one JSON line per sequence and tracker."""
    for path in sorted(Path(sys.argv[1]).glob("*.npz")):
        with np.load(path) as data:
            count, fps = int(data["frames"]), float(data["fps"])
            keys = ("ids", "truth", "boxes", "scores", "classes")
            frames = [(float(data["times"][n]), *(data[f"{key}{n}"] for key in keys)) for n in range(count)]
        for name, begin in trackers_of(fps).items():
            print(json.dumps({"sequence": path.stem, "tracker": name, **judge(frames, begin())}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
