"""Segmentation models: masks travel with their boxes from the graph to the frame, and count in every agreement."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from contract.models.test_import_of_every_family import UNIT, run_original
from support import models, strangers
from vigie import open_model
from vigie.contracts.detections import Detection
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.masks import GRID, crop_masks, from_runs, mask_likeness, to_runs
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene

MAP = (64, 64)


@pytest.mark.parametrize("finished", [False, True], ids=["raw", "finished"])
def test_masks_are_those_of_the_whole_picture_cut_to_the_box(tmp_path: Path, finished: bool) -> None:
    """Against the plain way: mix all prototypes, enlarge with OpenCV to eight times the tensor, look up each cell."""
    file = models.save(strangers.segment(finished=finished), tmp_path)
    folder = import_model(file, tmp_path / "b")
    card = load_bundle(folder).card
    assert (card.task, card.decoder.family) == ("segmentation", "segment")
    frame = scene(MAP, seed=3)  # the tensor's own size: nothing is scaled
    table, prototypes = run_original(file, frame, UNIT, ["output0", "output1"])
    rows = table[0] if finished else table[0].T
    scores = rows[:, 4] if finished else rows[:, 4:7].max(axis=1)
    with open_model(folder) as model:
        found = model(frame, score_min=0.3, iou_max=0.45)
    assert len(found) > 0
    assert found.masks is not None
    assert 0.05 < found.masks.mean() < 0.95, "masks that are all alike prove nothing"
    for one, score, box, mask in zip(found, found.scores, found.boxes_xyxy, found.masks, strict=True):
        mixed = np.tensordot(rows[int(np.abs(scores - score).argmin())][-4:], prototypes[0], axes=1)
        whole = cv2.resize(mixed, (512, 512), interpolation=cv2.INTER_LINEAR)
        steps = (np.arange(GRID) + 0.5) / GRID
        columns = ((box[0] + (box[2] - box[0]) * steps) * 8).astype(int).clip(0, 511)
        lines = ((box[1] + (box[3] - box[1]) * steps) * 8).astype(int).clip(0, 511)
        alike = ((whole[np.ix_(lines, columns)] > 0) == mask).mean()
        assert alike > 0.97, "an eighth of a pixel apart, cells on the border may differ"
        assert one.mask is not None
        assert np.array_equal(from_runs(one.mask.runs, one.mask.size_hw), mask)


def test_a_clipped_box_keeps_the_part_of_its_mask_that_is_left() -> None:
    mask = np.zeros((1, GRID, GRID), np.bool_)
    mask[0, :, GRID // 2 :] = True
    box = np.array([[-50, 0, 50, 100]], np.float32)
    right = crop_masks(mask, box, np.array([[0, 0, 50, 100]], np.float32))
    assert right.all(), "the left half lay outside"
    same = crop_masks(mask, box, box)
    assert np.array_equal(same, mask)


@pytest.mark.parametrize("seed", range(4))
def test_runs_give_the_mask_back_and_stay_small(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(rng.normal(size=(GRID, GRID)), (0, 0), 3) > 0
    assert np.array_equal(from_runs(to_runs(mask), mask.shape), mask)
    assert len(msgspec.json.encode(to_runs(mask))) < 600
    for flat in (np.zeros_like(mask), np.ones_like(mask)):
        assert np.array_equal(from_runs(to_runs(flat), mask.shape), flat)
    with pytest.raises(ValueError, match="runs of 3 cells for a mask of 2x2"):
        from_runs((1, 2), (2, 2))


def test_messages_of_other_models_carry_no_mask() -> None:
    plain = Detection("bolt", 0, 0.5, (0.0, 0.0, 1.0, 1.0))
    assert b"mask" not in msgspec.json.encode(plain)


def test_likeness_of_masks_is_their_overlap() -> None:
    left = np.zeros((2, GRID, GRID), np.bool_)
    left[0, :14] = True
    right = np.zeros((1, GRID, GRID), np.bool_)
    right[0, 7:21] = True
    assert mask_likeness(left, right)[:, 0].tolist() == pytest.approx([7 / 21, 0.0])
    assert mask_likeness(left[1:], left[1:])[0, 0] == 1.0, "both empty"


def test_parity_finds_masks_that_turned_inside_out_under_boxes_that_did_not(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(strangers.segment(), tmp_path), tmp_path / "b"))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]

    def broken(tensor: np.ndarray) -> list[np.ndarray]:
        table, prototypes = answers.get(tensor.tobytes(), empty)
        return [table, -prototypes]

    assert judge(bundle.card, lambda tensor: answers.get(tensor.tobytes(), empty), pairs).passed
    assert not judge(bundle.card, broken, pairs).passed


def test_a_table_that_does_not_fit_its_prototypes_is_refused(tmp_path: Path) -> None:
    model = strangers.segment(kinds=4)
    next(item for item in model.metadata_props if item.key == "names").value = "{0: 'bolt', 1: 'nut'}"
    with pytest.raises(ModelUnrecognisedError, match=r"task 'segment' with 4 prototypes.*pass --card"):
        import_model(models.save(model, tmp_path), tmp_path / "b")
