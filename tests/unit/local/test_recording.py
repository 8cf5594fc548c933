"""What is seen, drawn into pictures and written as a video."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vigie.contracts.detections import Detection, OrientedBox
from vigie.vision.draw import Palette
from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.page_pictures import PageError, PagePicture, read_picture
from vigie_devkit.local.recording import Recording, VideoWriter, named

BEGIN = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
BOX = (40.0, 30.0, 120.0, 90.0)


def picture(number: int, *, at_ms: int, size_hw: tuple[int, int] = (120, 160), grey: int = 90) -> PagePicture:
    """A grey frame with one object in it."""
    encoded = cv2.imencode(".jpg", np.full((*size_hw, 3), grey, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    found = [Detection("nut", 0, 0.9, BOX)]
    return PagePicture("dock", number, BEGIN + timedelta(milliseconds=at_ms), (120, 160), found, encoded.tobytes())


def frames_of(path: Path) -> list[tuple[float, np.ndarray[Any, Any]]]:
    """Time in seconds and pixels of each frame."""
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def test_a_video_has_each_picture_at_its_time_with_the_boxes_drawn(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "seen.mp4")
    for number, at_ms in enumerate((0, 40, 500, 1900)):
        video.add(picture(number, at_ms=at_ms))
    video.close()
    frames = frames_of(tmp_path / "seen.mp4")
    assert [round(time, 3) for time, _ in frames] == [0.0, 0.04, 0.5, 1.9]
    colour = np.array(Palette().bgr("nut"), float)
    for _, frame in frames:
        assert frame.shape == (120, 160, 3)
        left_edge = frame[50:80, 38:43].astype(float)
        nearest = np.abs(left_edge - colour).sum(axis=2).min(axis=1)
        # Colour has half the resolution in this video, so a thin line is paler than it was drawn.
        assert np.median(nearest) < 0.6 * np.abs(90 - colour).sum(), "the box's edge has the colour of its label"
        assert np.abs(frame[55:65, 75:85].astype(float) - 90).mean() < 6, "the object itself is left alone"


def test_pictures_of_another_size_are_fitted_and_odd_sides_are_cut(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "seen.mp4")
    video.add(picture(0, at_ms=0, size_hw=(121, 161)))
    video.add(picture(1, at_ms=40, size_hw=(240, 320)))
    video.close()
    assert [frame.shape for _, frame in frames_of(tmp_path / "seen.mp4")] == [(120, 160, 3), (120, 160, 3)]


def test_a_picture_that_is_not_newer_than_the_last_is_left_out(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "seen.mp4")
    for number, at_ms in enumerate((100, 140, 140, 120, 180)):
        video.add(picture(number, at_ms=at_ms))
    video.close()
    assert video.pictures == 3
    assert len(frames_of(tmp_path / "seen.mp4")) == 3


async def test_a_recording_without_a_picture_leaves_no_file_and_says_so(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "seen.mp4", ["dock", "hall"])
    await recording.stop()
    assert recording.in_words() == ["nothing of dock was recorded", "nothing of hall was recorded"]
    assert list(tmp_path.iterdir()) == []
    assert recording.files["dock"] == named(tmp_path / "seen.mp4", "dock") == tmp_path / "seen-dock.mp4"


def test_a_file_that_cannot_be_made_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*nowhere/seen\.mp4"):
        Recording(tmp_path / "nowhere" / "seen.mp4", ["dock"])


def test_a_message_of_the_page_is_read_with_key_points_and_masks() -> None:
    box = ["person", 0, 0.5, 1.0, 2.0, 3.0, 4.0, "ab-1", [[1.0, 2.0, 0.9]], [2, 3, [1, 2, 3]]]
    head = {
        "camera": "dock",
        "seq": 7,
        "at": "2026-11-28T10:00:00.000000Z",
        "hw": [4, 6],
        "boxes": [box],
        "age_ms": 1.0,
    }
    encoded = json.dumps(head).encode()
    found = read_picture(len(encoded).to_bytes(4, "big") + encoded + b"jpeg")
    assert (found.camera, found.seq, found.frame_hw, found.jpeg) == ("dock", 7, (4, 6), b"jpeg")
    assert found.detections is not None
    (one,) = found.detections
    assert (one.track, one.keypoints, one.box_xyxy) == ("ab-1", ((1.0, 2.0, 0.9),), (1.0, 2.0, 3.0, 4.0))
    assert one.mask is not None
    assert one.mask.size_hw == (2, 3)
    assert one.oriented is None


def test_a_message_of_the_page_is_read_with_oriented_boxes() -> None:
    box = ["bolt", 1, 0.5, 1.0, 2.0, 3.0, 4.0, None, None, None, [2.0, 3.0, 2.0, 1.0, 30.0]]
    head = {"camera": "dock", "seq": 7, "at": "2026-11-28T10:00:00.000000Z", "hw": [4, 6], "boxes": [box], "age_ms": 1}
    encoded = json.dumps(head).encode()
    found = read_picture(len(encoded).to_bytes(4, "big") + encoded + b"jpeg").detections
    assert found is not None
    assert found[0].oriented == OrientedBox((2.0, 3.0), (2.0, 1.0), 30.0)


@pytest.mark.parametrize("message", [b"", b"\0\0\0\x05{", b"\0\0\0\x02{}", b"\xff\xff\xff\xff"])
def test_a_message_that_is_not_a_picture_is_an_error(message: bytes) -> None:
    with pytest.raises(PageError, match="cannot be read"):
        read_picture(message)
