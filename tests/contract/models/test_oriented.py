"""Oriented boxes: turned from the graph to the frame, suppressed and compared as turned boxes."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contract.models.test_import_of_every_family import UNIT, run_original
from support import models, strangers
from vigie import open_model
from vigie.contracts.detections import Detection, OrientedBox
from vigie.contracts.tensors import FrameTransform
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.detections import Detections
from vigie.vision.in_frame import as_messages, to_frame
from vigie.vision.matching import count_matched
from vigie.vision.merging import merge_views
from vigie.vision.oriented import corners_of, hull_xyxy, oriented_nms, oriented_overlap, oriented_to_frame
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene


def boxes(*rows: tuple[float, float, float, float, float]) -> np.ndarray:
    """Angles in degrees."""
    return np.array([(x, y, w, h, math.radians(degrees)) for x, y, w, h, degrees in rows], np.float32)


@pytest.mark.parametrize("finished", [False, True], ids=["raw", "finished"])
def test_oriented_boxes_reach_the_frame(tmp_path: Path, finished: bool) -> None:
    file = models.save(strangers.oriented(finished=finished), tmp_path)
    folder = import_model(file, tmp_path / "b")
    card = load_bundle(folder).card
    assert (card.task, card.decoder.family) == ("oriented", "oriented")
    frame = scene((64, 64), seed=3)  # the tensor's own size: nothing is scaled
    (table,) = run_original(file, frame, UNIT, ["output0"])
    rows = table[0] if finished else table[0].T
    with open_model(folder) as model:
        found = model(frame, score_min=0.3, iou_max=0.45)
    assert len(found) > 1
    assert found.oriented is not None
    for one, score, own, box in zip(found, found.scores, found.oriented, found.boxes_xyxy, strict=True):
        scores = rows[:, 4] if finished else rows[:, 4:7].max(axis=1)
        row = rows[int(np.abs(scores - score).argmin())]
        x, y, wide, high, angle = (*row[:4], row[-1])
        assert own == pytest.approx([x, y, wide, high, angle], abs=0.01)
        cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
        reach_x, reach_y = (wide * cos + high * sin) / 2, (wide * sin + high * cos) / 2
        hull = np.clip([x - reach_x, y - reach_y, x + reach_x, y + reach_y], 0, 64)
        assert box == pytest.approx(hull, abs=0.01)
        assert one.oriented is not None
        assert one.oriented.angle_degrees == pytest.approx(math.degrees(angle) % 180, abs=0.01)


def test_a_frame_that_was_shrunk_and_padded_gives_its_own_pixels() -> None:
    moved = oriented_to_frame(boxes((50, 70, 20, 10, 30)), FrameTransform(0.5, 0.5, 0.0, 20.0))
    assert moved[0] == pytest.approx([100, 100, 40, 20, math.radians(30)], abs=1e-4)


def test_a_stretched_frame_keeps_the_middle_the_direction_and_the_lengths_of_the_sides() -> None:
    moved = oriented_to_frame(boxes((50, 50, 20, 10, 90)), FrameTransform(0.5, 0.25, 0.0, 0.0))
    assert moved[0] == pytest.approx([100, 200, 80, 20, math.radians(90)], abs=1e-3)


@pytest.mark.parametrize("degrees", [-45.0, 0.0, 89.999, 90.0, 134.9, 179.999, 540.0])
def test_an_angle_in_a_message_lies_between_0_and_180(degrees: float) -> None:
    turned = boxes((10, 10, 8, 2, degrees))
    found = Detections(hull_xyxy(turned), np.ones(1, np.float32), np.zeros(1, np.int32), oriented=turned)
    (one,) = as_messages(to_frame(found, FrameTransform(1.0, 1.0, 0.0, 0.0), (20, 20)), ["bolt"])
    assert one.oriented is not None
    assert 0 <= one.oriented.angle_degrees < 180
    assert math.sin(math.radians(2 * (one.oriented.angle_degrees - degrees))) == pytest.approx(0, abs=1e-3)


def test_corners_go_round_the_box_and_a_quarter_turn_swaps_its_sides() -> None:
    upright = corners_of(boxes((10, 10, 8, 2, 0)))[0]
    assert upright.tolist() == [[6, 9], [14, 9], [14, 11], [6, 11]]
    turned = corners_of(boxes((10, 10, 8, 2, 90)))[0]
    assert sorted(map(tuple, turned.round(4).tolist())) == sorted(
        map(tuple, corners_of(boxes((10, 10, 2, 8, 0)))[0].round(4).tolist())
    )


def test_overlap_is_that_of_the_turned_boxes() -> None:
    """Two crossed strips have one and the same upright box, and little in common."""
    one, crossed, same, far = (0, 0, 40, 4, 45), (0, 0, 40, 4, -45), (0, 0, 4, 40, -45), (100, 0, 40, 4, 45)
    overlap = oriented_overlap(boxes(one), boxes(one, crossed, same, far))[0]
    assert hull_xyxy(boxes(one)) == pytest.approx(hull_xyxy(boxes(crossed)), abs=1e-4)
    assert overlap[0] == pytest.approx(1.0, abs=1e-3)
    assert overlap[1] < 0.4
    assert overlap[2] == pytest.approx(1.0, abs=1e-3)
    assert overlap[3] == pytest.approx(0.0, abs=1e-3)


def test_crossed_parts_stay_and_doubles_fall_also_by_one_that_falls_itself() -> None:
    chain = boxes((0, 0, 40, 10, 45), (6, 6, 40, 10, 45), (12, 12, 40, 10, 45), (0, 0, 40, 4, -45), (0, 0, 40, 10, 45))
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
    classes = np.array([0, 0, 0, 0, 1], np.int32)
    overlap = oriented_overlap(chain, chain)
    assert overlap[0, 1] > 0.6 > overlap[0, 2]
    kept = oriented_nms(chain, scores, classes, iou_max=0.6)
    assert kept.tolist() == [0, 3, 4], "the third falls by the second, which falls by the first"


def test_many_candidates_are_compared_beyond_the_first_block() -> None:
    rng = np.random.default_rng(5)
    many = np.concatenate(
        (rng.uniform(0, 300, (500, 2)), rng.uniform(5, 60, (500, 2)), rng.uniform(-1, 3, (500, 1))), 1
    )
    many, scores = many.astype(np.float32), rng.permutation(500).astype(np.float32)
    classes = rng.integers(0, 3, 500).astype(np.int32)
    order = np.argsort(-scores)
    overlap = oriented_overlap(many, many)
    expected = [
        index
        for place, index in enumerate(order)
        if not any(classes[other] == classes[index] and overlap[other, index] > 0.3 for other in order[:place])
    ]
    assert oriented_nms(many, scores, classes, iou_max=0.3, limit=500).tolist() == expected


def test_the_same_upright_box_with_another_angle_is_no_agreement() -> None:
    one, crossed = boxes((50, 50, 40, 4, 45)), boxes((50, 50, 40, 4, -45))
    first, second = (
        Detections(hull_xyxy(turned), np.ones(1, np.float32), np.zeros(1, np.int32), oriented=turned)
        for turned in (one, crossed)
    )
    assert count_matched(first, first, iou_min=0.5, score_within=0.1) == 1
    assert count_matched(first, second, iou_min=0.5, score_within=0.1) == 0


def test_parity_finds_angles_that_changed_their_sign(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(strangers.oriented(), tmp_path), tmp_path / "b"))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]

    def broken(tensor: np.ndarray) -> list[np.ndarray]:
        outputs = [output.copy() for output in answers.get(tensor.tobytes(), empty)]
        outputs[0][:, -1] *= -1
        return outputs

    assert judge(bundle.card, lambda tensor: answers.get(tensor.tobytes(), empty), pairs).passed
    assert not judge(bundle.card, broken, pairs).passed


def test_a_message_holds_an_oriented_box_and_others_carry_none() -> None:
    plain = Detection("bolt", 0, 0.5, (0.0, 0.0, 1.0, 1.0))
    assert b"oriented" not in msgspec.json.encode(plain)
    turned = msgspec.structs.replace(plain, oriented=OrientedBox((1.0, 2.0), (3.0, 4.0), 30.0))
    assert msgspec.json.decode(msgspec.json.encode(turned), type=Detection) == turned


def test_without_metadata_the_family_has_to_be_named(tmp_path: Path) -> None:
    model = strangers.oriented()
    del model.metadata_props[:]
    file = models.save(model, tmp_path)
    with pytest.raises(ModelUnrecognisedError):
        import_model(file, tmp_path / "b", labels=models.NAMES)
    folder = import_model(file, tmp_path / "b", labels=models.NAMES, family="oriented")
    assert load_bundle(folder).card.task == "oriented"


def test_the_parts_of_a_strip_in_two_tiles_become_one_and_crossed_strips_stay_two() -> None:
    views = ((0.0, 0.0, 60.0, 100.0), (40.0, 0.0, 100.0, 100.0))

    def seen(turned: np.ndarray, view: tuple[float, float, float, float]) -> Detections:
        hull = np.clip(hull_xyxy(turned), view[:2] * 2, view[2:] * 2).astype(np.float32)
        return Detections(hull, np.full(len(turned), 0.9, np.float32), np.zeros(len(turned), np.int32), oriented=turned)

    left, right = boxes((35, 50, 50, 10, 0)), boxes((65, 50, 50, 10, 0))
    together = merge_views([seen(left, views[0]), seen(right, views[1])], views, merge="nmm", iou_max=0.5)
    assert together.oriented is not None
    assert together.oriented == pytest.approx(np.array([[50, 50, 80, 10, 0]]), abs=0.01)
    one, crossed = boxes((50, 50, 16, 2, 45)), boxes((50, 50, 16, 2, -45))
    both = merge_views([seen(one, views[0]), seen(crossed, views[1])], views, merge="nmm", iou_max=0.5)
    assert len(both) == 2
    assert len(merge_views([seen(one, views[0]), seen(one, views[1])], views, merge="nmm", iou_max=0.5)) == 1
