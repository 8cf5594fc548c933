"""Calibration sources: what is read, and what is noticed before an hour is spent on it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.models import make_card
from support.trained import SHAPES, shape_picture, write_class_folders
from vigie.errors import CalibrationError
from vigie.models import Bundle, Card
from vigie_devkit.models.pictures import scene
from vigie_devkit.quantize.calibration_checks import check_calibration, without_blank
from vigie_devkit.quantize.pipeline import deal, gather
from vigie_devkit.quantize.request import QuantizeRequest
from vigie_devkit.quantize.samples import TensorSample, fit
from vigie_devkit.quantize.sources import read_source

CARD = make_card("yolox", [(1, 84, 8)])


def classifier_card() -> Card:
    import msgspec

    return msgspec.structs.replace(CARD, task="classification", labels=SHAPES)


def samples(count: int, **changes: object) -> list[TensorSample]:
    return [fit(CARD, f"frame {index}", scene((64, 64), seed=index)) for index in range(count)]


def blank(count: int) -> list[TensorSample]:
    return [fit(CARD, f"blank {index}", np.full((48, 64, 3), index, np.uint8)) for index in range(count)]


def test_many_different_frames_are_nothing_to_speak_of() -> None:
    assert check_calibration("belt", samples(32), CARD) == []


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([], "has 0 frame(s), 8 are needed and 32 or more advised"),
        (samples(7), "has 7 frame(s), 8 are needed"),
        ([*samples(4), *blank(8)], "8 of 12 frames are blank (one colour), such as blank 0"),
        (samples(1) * 40, "only 1 of 40 frames differ from each other, 8 are needed"),
    ],
    ids=["none", "few", "blank", "the-same"],
)
def test_frames_that_ranges_cannot_be_taken_from_are_refused(frames: list[TensorSample], said: str) -> None:
    with pytest.raises(CalibrationError) as refused:
        check_calibration("belt", frames, CARD)
    assert said in str(refused.value)
    assert str(refused.value).startswith("calibration source 'belt': ")


def test_doubtful_frames_are_told_and_blank_ones_left_out() -> None:
    frames = [*samples(12), *blank(3), *samples(2)]
    warnings = check_calibration("belt", frames, CARD)
    assert any("3 of 17 frames are blank; they were left out" in line for line in warnings)
    assert any("2 of 17 frames are copies of others" in line for line in warnings)
    assert any("17 frames are few; 32 or more are advised" in line for line in warnings)
    assert len(without_blank(frames)) == 14


def test_frames_far_smaller_than_the_input_are_told() -> None:
    small = [fit(CARD, f"icon {index}", scene((20, 24), seed=index)) for index in range(32)]
    (warning,) = check_calibration("icons", small, CARD)
    assert "32 of 32 frames are far smaller than the input of 64x64 (icon 0 has 24x20): wrong size?" in warning


def test_a_padded_blank_frame_is_blank() -> None:
    assert without_blank([fit(CARD, "wide", np.full((10, 64, 3), 30, np.uint8))]) == []


def test_a_folder_of_pictures_gives_evenly_spread_ones(tmp_path: Path) -> None:
    for index in range(20):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), scene((40, 60), seed=index))
    found = read_source(str(tmp_path), CARD, 5)
    assert [sample.name for sample in found] == ["00.png", "04.png", "08.png", "12.png", "16.png"]
    assert found[0].tensor_hwc.shape == (64, 64, 3)
    assert found[0].frame_hw == (40, 60)
    assert found[0].truth is None


def test_a_video_gives_evenly_spread_frames(tmp_path: Path) -> None:
    file = tmp_path / "belt.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for index in range(30):
        writer.write(scene((48, 64), seed=index))
    writer.release()
    found = read_source(str(file), CARD, 6)
    assert [sample.name for sample in found] == [f"belt.avi frame {index}" for index in range(0, 30, 5)]


def test_coco_truth_comes_under_the_cards_class_numbers(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), scene((40, 60)))
    boxes = [(1, [5, 6, 10, 12]), (2, [1, 1, 4, 4])]
    tree = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "c2"}, {"id": 2, "name": "unheard of"}],
        "annotations": [{"image_id": 1, "category_id": category, "bbox": box} for category, box in boxes],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(tree))
    (sample,) = read_source(str(tmp_path), CARD, 4)
    assert sample.truth is not None
    assert sample.truth.class_ids.tolist() == [2]
    assert sample.truth.boxes_xyxy.tolist() == [[5, 6, 15, 18]]


def test_the_renderer_gives_several_belts() -> None:
    found = read_source("synthetic://conveyor?seed=3", CARD, 8)
    assert len(found) == 8
    assert found[5].name.endswith("scene 1, frame 305")
    assert found[6].name.endswith("scene 2, frame 0")
    assert found[0].truth is None, "this model knows none of the parts"


def test_folders_named_after_classes_are_labels_of_a_classifier(tmp_path: Path) -> None:
    write_class_folders(tmp_path / "shapes", 3)
    found = read_source(str(tmp_path / "shapes"), classifier_card(), 100)
    assert sorted({sample.class_id for sample in found}) == [0, 1, 2, 3]
    assert len(found) == 12


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", "does not exist; pass a folder of pictures, a video"),
        (lambda folder: folder, "holds no picture (.bmp, .jpeg"),
        (lambda folder: _written(folder / "notes.txt"), "is neither a picture nor a video"),
        (lambda folder: _written(folder / "broken.mp4"), "cannot be opened as a video by OpenCV"),
        (lambda folder: _written(folder / "broken.png"), "broken.png cannot be read as a picture by OpenCV"),
        (lambda _: "synthetic://moon", "scene: expected one of conveyor"),
    ],
    ids=["missing", "empty", "text", "no-video", "no-picture", "no-scene"],
)
def test_a_source_that_cannot_be_read_is_one_sentence(tmp_path: Path, make: object, said: str) -> None:
    source = str(make(tmp_path))  # type: ignore[operator]
    with pytest.raises(CalibrationError) as refused:
        read_source(source, CARD, 8)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def _written(file: Path) -> Path:
    file.write_bytes(b"not what its name says")
    return file


def test_folders_of_unknown_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "zebra").mkdir()
    cv2.imwrite(str(tmp_path / "zebra/1.png"), shape_picture(np.random.default_rng(1), "disc"))
    with pytest.raises(
        CalibrationError, match=r"its folders \(zebra, \.\.\) are not labels of the model \(disc, \.\.\)"
    ):
        read_source(str(tmp_path), classifier_card(), 8)


def test_frames_to_judge_on_are_never_those_calibrated_on() -> None:
    frames = samples(30)
    mine, theirs = deal(frames, 10)
    assert len(mine) == 10
    assert len(theirs) == 20
    assert not {sample.name for sample in mine} & {sample.name for sample in theirs}
    assert deal(frames[:4], 10) == (frames[:4], [])


@pytest.mark.parametrize(("count", "calibrated", "judged"), [(60, 16, 32), (30, 10, 20), (24, 8, 16)])
def test_a_short_source_is_shared_in_proportion(tmp_path: Path, count: int, calibrated: int, judged: int) -> None:
    for index in range(count):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), scene((40, 60), seed=index))
    wanted = QuantizeRequest(tmp_path, (str(tmp_path),), tmp_path / "out", ("cpu-x86",), frames=16, judge_frames=32)
    mine, theirs, _ = gather(wanted, Bundle(tmp_path, CARD, ""))
    assert (len(mine), len(theirs)) == (calibrated, judged)
