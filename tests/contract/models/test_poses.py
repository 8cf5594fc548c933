"""Pose models: key points travel with their boxes from the graph to the frame, and count in every agreement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import helper

from contract.models.test_import_of_every_family import UNIT, run_original
from support import models, strangers
from vigie import open_model
from vigie.contracts.detections import Detection
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.detections import Detections
from vigie.vision.likeness import likeness_matrix, oks_matrix
from vigie.vision.transform import plan_transform, points_to_frame
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("finished", [False, True], ids=["raw", "finished"])
def test_key_points_reach_the_frame_with_their_boxes(tmp_path: Path, dims: int, finished: bool) -> None:
    file = models.save(strangers.pose(dims=dims, finished=finished), tmp_path)
    folder = import_model(file, tmp_path / "b")
    card = load_bundle(folder).card
    assert (card.task, card.decoder.family, card.decoder.params["points"]) == ("pose", "pose", 5)
    frame = scene((64, 64), seed=3)  # the tensor's own size: nothing is scaled
    (table,) = run_original(file, frame, UNIT, ["output0"])
    rows = table[0] if finished else table[0].T
    first = 6 if finished else 7
    with open_model(folder) as model:
        found = model(frame, score_min=0.3, iou_max=0.45)
    assert len(found) > 0
    assert found.keypoints is not None
    for one, score, points in zip(found, found.scores, found.keypoints, strict=True):
        scores = rows[:, 4] if finished else rows[:, 4:7].max(axis=1)
        row = rows[int(np.abs(scores - score).argmin())]
        own = row[first:].reshape(5, dims)
        assert points[:, :dims] == pytest.approx(np.clip(own, 0, 64), abs=0.05)
        assert np.array(one.keypoints)[:, :2] == pytest.approx(points[:, :2], abs=0.01)
        assert dims == 3 or set(points[:, 2].tolist()) == {1.0}


def test_a_larger_frame_scales_key_points_as_it_does_boxes() -> None:
    transform = plan_transform((100, 200), (64, 64), "centre")
    points = np.array([[[32.0, 32.0, 0.9], [0.0, 0.0, 0.1]]], np.float32)
    moved = points_to_frame(points, transform, (100, 200))
    assert moved[0, 0].tolist() == pytest.approx([100.0, 50.0, 0.9])
    assert moved[0, 1].tolist() == pytest.approx([0.0, 0.0, 0.1]), "clipped to the frame"
    assert points[0, 1, 0] == 0.0, "the input is not changed"


def test_messages_of_other_models_carry_no_empty_list() -> None:
    plain = Detection("bolt", 0, 0.5, (0.0, 0.0, 1.0, 1.0))
    assert b"keypoints" not in msgspec.json.encode(plain)
    old = b'{"label":"bolt","class_id":0,"score":0.5,"box_xyxy":[0,0,1,1]}'
    assert msgspec.json.decode(old, type=Detection) == plain
    posed = msgspec.structs.replace(plain, keypoints=((1.0, 2.0, 0.5),))
    assert msgspec.json.decode(msgspec.json.encode(posed), type=Detection) == posed


def _one(points: Any) -> Detections:
    box = np.array([[0, 0, 100, 100]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), np.array([points], np.float32))


def test_the_same_box_with_other_key_points_is_another_pose() -> None:
    """OKS by hand: exp(-d^2 / (2 * 0.53 * area * (2 * 0.05)^2)), of the points that the first is sure of."""
    left = _one([[10, 10, 1.0], [50, 50, 1.0], [90, 90, 0.1]])
    assert oks_matrix(left, left)[0, 0] == pytest.approx(1.0)
    moved = _one([[15, 10, 1.0], [50, 50, 1.0], [0, 0, 0.1]])
    expected = (np.exp(-25 / (2 * 0.53 * 10_000 * 0.01)) + 1) / 2
    assert oks_matrix(left, moved)[0, 0] == pytest.approx(expected, abs=1e-4)
    far = _one([[90, 10, 1.0], [10, 90, 1.0], [90, 90, 0.1]])
    assert likeness_matrix(left, far)[0, 0] < 0.1


def test_parity_finds_key_points_that_moved_under_boxes_that_did_not(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(strangers.pose(), tmp_path), tmp_path / "b"))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]

    def broken(tensor: np.ndarray) -> list[np.ndarray]:
        outputs = [output.copy() for output in answers.get(tensor.tobytes(), empty)]
        outputs[0][:, 7:] = np.roll(outputs[0][:, 7:], 3, axis=1)
        return outputs

    assert judge(bundle.card, lambda tensor: answers.get(tensor.tobytes(), empty), pairs).passed
    assert not judge(bundle.card, broken, pairs).passed


@pytest.mark.parametrize("shape", ["", "[17]", "17", "['a', 3]", "[6, 3]"])
def test_a_pose_whose_metadata_do_not_fit_is_refused(tmp_path: Path, shape: str) -> None:
    model = strangers.pose()
    next(item for item in model.metadata_props if item.key == "kpt_shape").value = shape
    with pytest.raises(ModelUnrecognisedError, match=r"task 'pose'.*pass --card"):
        import_model(models.save(model, tmp_path), tmp_path / "b")


def test_a_pose_without_its_head_is_refused_for_its_outputs(tmp_path: Path) -> None:
    levels = {f"out{at}": (1, 80, side, side) for at, side in enumerate((8, 4, 2))}
    model = strangers.outputs_of(**levels)
    helper.set_model_props(model, strangers.ultralytics_metadata(task="pose", kpt_shape="[5, 3]"))
    with pytest.raises(ModelUnrecognisedError, match=r"task 'pose'.*3 outputs where a whole export has one"):
        import_model(models.save(model, tmp_path), tmp_path / "b")
