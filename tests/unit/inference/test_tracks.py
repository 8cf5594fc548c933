"""Ids in detections: stable per camera, unlike any other camera's, absent where tracking is off."""

from __future__ import annotations

import numpy as np

from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie_inference.config import TrackingConfig
from vigie_inference.tracks import Sighting, Tracks


def seen(
    camera: str, at_s: float, *scores: float, on: bool = True, hw: tuple[int, int] = (480, 640), x: float = 0
) -> Sighting:
    """Boxes side by side; those below 0.5 are weak and not passed on."""
    boxes = np.array([(x + 60 * n, 10, x + 60 * n + 50, 90) for n in range(len(scores))], np.float32).reshape(-1, 4)
    item = DetectionsItem(
        camera, 1, f"{camera}-{at_s}", "2026-11-28T00:00:00Z", int(at_s * 1e9), hw, "m",
        [Detection("bolt", 0, score, tuple(box.tolist())) for score, box in zip(scores, boxes, strict=True)
         if score >= 0.5],
        StageTimings(1, 2, 3),
    )  # fmt: skip
    ids = np.zeros(len(scores), np.int32)
    return Sighting(item, boxes, np.array(scores, np.float32), ids, 0.5, TrackingConfig(on=on))


def tracks_of(item: DetectionsItem) -> list[str | None]:
    return [found.track for found in item.detections]


def test_an_object_has_an_id_from_its_second_frame_on_and_keeps_it_while_its_score_is_weak() -> None:
    tracks = Tracks()
    assert tracks_of(tracks.identify(seen("dock", 0.0, 0.9, 0.8))) == [None, None]
    first = tracks_of(tracks.identify(seen("dock", 0.1, 0.9, 0.8)))
    assert None not in first
    assert len(set(first)) == 2
    for n in range(20):
        # The second is below the score that is passed on, but still seen.
        assert tracks_of(tracks.identify(seen("dock", 0.2 + n / 5, 0.9, 0.2))) == first[:1]
    assert tracks_of(tracks.identify(seen("dock", 5.0, 0.9, 0.8))) == first


def test_two_cameras_and_two_starts_share_no_id() -> None:
    ids = set()
    for tracks in (Tracks(), Tracks()):
        for camera in ("dock", "gate"):
            tracks.identify(seen(camera, 0.0, 0.9))
            ids |= set(tracks_of(tracks.identify(seen(camera, 0.1, 0.9))))
    assert len(ids) == 4


def test_a_camera_with_another_picture_size_starts_afresh() -> None:
    tracks = Tracks()
    tracks.identify(seen("dock", 0.0, 0.9))
    [before] = tracks_of(tracks.identify(seen("dock", 0.1, 0.9)))
    assert tracks_of(tracks.identify(seen("dock", 0.2, 0.9, hw=(720, 1280)))) == [None]
    [after] = tracks_of(tracks.identify(seen("dock", 0.3, 0.9, hw=(720, 1280))))
    assert after != before


def test_without_tracking_no_detection_has_an_id() -> None:
    tracks = Tracks()
    for n in range(3):
        assert tracks_of(tracks.identify(seen("dock", n / 10, 0.9, on=False))) == [None]
