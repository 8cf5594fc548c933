"""Semantic segmentation: a mask per class, from the map to the message within a byte budget, compared by IoU."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contract.models.test_import_of_every_family import UNIT, run_original
from support import maps, models
from vigie import open_model
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.class_masks import GRID, RUNS_MAX, class_mask_of, within_budget
from vigie.vision.decoders import decoder_of
from vigie.vision.decoding import DecoderFacts
from vigie.vision.detections import Detections
from vigie.vision.in_frame import as_messages
from vigie.vision.likeness import likeness_matrix
from vigie.vision.masks import from_runs
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

HW = (64, 64)
FEED = input_fields("rgb/0..1")
NAMES = ("background", "belt", "part", "spill")

FORMS = {
    "torchvision": (partial(maps.class_map, name="out", aux=True, stride=1), "logits", None),
    "hugging-face": (partial(maps.class_map, name="logits", image_name="pixel_values"), "logits", None),
    "softmax": (partial(maps.class_map, end="Softmax", stride=2), "shares", None),
    "classes-last": (partial(maps.class_map, end="last", stride=2), "shares", None),
    "class-numbers": (partial(maps.class_map, end="index", stride=1), "index", None),
    "logits": (maps.class_map, "logits", "semantic"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_class_has_one_mask_where_its_score_is_the_greatest(tmp_path: Path, form: str) -> None:
    build, values, family = FORMS[form]
    file = models.save(build(), tmp_path)
    folder = import_model(file, tmp_path / "b", labels=NAMES, feed=FEED, family=family)
    card = load_bundle(folder).card
    assert (card.task, card.decoder.params["values"], card.decoder.params["background"]) == ("semantic", values, 0)
    frame = scene(HW, seed=3)  # the tensor's own size: nothing is scaled
    (output,) = run_original(file, frame, UNIT, [card.outputs[0].name])
    table = np.moveaxis(output[0], -1, 0) if form == "classes-last" else output[0]
    truth = table if values == "index" else table.argmax(axis=0)
    truth = np.kron(truth, np.ones((HW[0] // truth.shape[0], HW[1] // truth.shape[1]), np.int64))
    with open_model(folder) as model:
        found = model(frame)
    assert found.class_masks is not None
    assert sorted(found.class_ids.tolist()) == [at for at in (1, 2, 3) if (truth == at).any()]
    assert len(found) >= 2
    for one, class_mask, class_id in zip(found, found.class_masks, found.class_ids.tolist(), strict=True):
        x1, y1, x2, y2 = (round(side) for side in one.box_xyxy)
        inside = truth == class_id
        assert inside[y1:y2, x1:x2].sum() == inside.sum(), "the box holds all of it"
        steps = (np.arange(GRID) + 0.5) / GRID
        rows, columns = (y1 + (y2 - y1) * steps).astype(int), (x1 + (x2 - x1) * steps).astype(int)
        assert np.array_equal(class_mask, inside[np.ix_(rows, columns)])
        assert one.mask is not None
        assert np.array_equal(from_runs(one.mask.runs, one.mask.size_hw), class_mask)


def test_a_score_is_how_sure_it_is_in_the_mean() -> None:
    logits = np.zeros((1, 2, 4, 4), np.float32)
    logits[0, 1, :2] = 2.0
    logits[0, 0, 2:] = 20.0
    decoder = decoder_of("semantic", {}, DecoderFacts("m", (8, 8), 2, ((1, 2, 4, 4),)))
    found = decoder([logits], score_min=0.0, iou_max=1.0)
    assert found.class_ids.tolist() == [0, 1]
    assert found.scores == pytest.approx([1.0, 1 / (1 + np.exp(-2))], abs=1e-5)
    assert found.boxes_xyxy.tolist() == [[0, 4, 8, 8], [0, 0, 8, 4]]
    assert decoder([logits], score_min=0.9, iou_max=1.0).class_ids.tolist() == [0]
    assert decoder([logits], score_min=0.0, iou_max=1.0, classes=[1]).class_ids.tolist() == [1]


def test_places_that_are_not_numbers_and_classes_without_a_name_are_of_no_class() -> None:
    logits = np.full((1, 2, 4, 4), np.nan, np.float32)
    logits[0, :, 0] = [[1.0], [0.0]]
    decoder = decoder_of("semantic", {}, DecoderFacts("m", (8, 8), 2, ((1, 2, 4, 4),)))
    assert decoder([logits], score_min=0.0, iou_max=1.0).boxes_xyxy.tolist() == [[0, 0, 8, 2]]
    numbers = decoder_of("semantic", {"values": "index"}, DecoderFacts("m", (8, 8), 2, ((1, 4, 4),)))
    map_ = np.full((1, 4, 4), 255, np.int64)
    map_[0, 0] = 1
    assert numbers([map_], score_min=0.0, iou_max=1.0).class_ids.tolist() == [1]
    assert len(numbers([np.full((1, 4, 4), 9)], score_min=0.0, iou_max=1.0)) == 0


def test_one_channel_is_inside_or_not() -> None:
    decoder = decoder_of("semantic", {}, DecoderFacts("m", (8, 8), 1, ((1, 1, 4, 4),)))
    logits = np.full((1, 1, 4, 4), -3.0, np.float32)
    assert len(decoder([logits], score_min=0.0, iou_max=1.0)) == 0
    logits[0, 0, 1:3, 1:3] = 3.0
    assert decoder([logits], score_min=0.0, iou_max=1.0).boxes_xyxy.tolist() == [[2, 2, 6, 6]]


def test_a_map_larger_than_is_looked_at_gives_the_same_class_masks() -> None:
    shape = (1, 40, 512, 512)
    logits = np.zeros(shape, np.float32)
    logits[0, 7, 100:400, 64:300] = 5.0
    decoder = decoder_of("semantic", {"background": 0}, DecoderFacts("m", (512, 512), 40, (shape,)))
    found = decoder([logits], score_min=0.5, iou_max=1.0)
    assert found.class_ids.tolist() == [7]
    assert found.boxes_xyxy[0] == pytest.approx([64, 100, 300, 400], abs=3.0)


def test_all_class_masks_of_a_frame_stay_within_the_budget_of_a_message() -> None:
    rng = np.random.default_rng(4)
    noise = rng.random((40, GRID, GRID)) > 0.5
    found = Detections(
        np.tile(np.array([[0, 0, 640, 480]], np.float32), (40, 1)),
        np.ones(40, np.float32),
        np.arange(40, dtype=np.int32),
        class_masks=noise,
    )
    told = as_messages(found, [f"n{at}" for at in range(40)])
    assert all(one.mask is not None for one in told)
    assert sum(len(one.mask.runs) for one in told if one.mask) <= RUNS_MAX
    assert len(msgspec.json.encode([one.mask for one in told])) < 20_000
    plain = np.zeros((2, GRID, GRID), np.bool_)
    plain[:, :20] = True
    assert np.array_equal(within_budget(plain), plain), "what fits keeps its grid"


def test_likeness_is_the_overlap_of_class_masks_and_not_of_their_boxes() -> None:
    left, right = np.zeros((100, 100), np.bool_), np.zeros((100, 100), np.bool_)
    left[:50, :50] = right[:50, :50] = True
    right[99, 99] = True  # one stray cell: boxes overlap in a quarter

    def whole(inside: np.ndarray) -> Detections:
        box, class_mask = class_mask_of(inside)
        return Detections(box[None] * 100, np.ones(1, np.float32), np.zeros(1, np.int32), class_masks=class_mask[None])

    assert likeness_matrix(whole(left), whole(right))[0, 0] > 0.95
    moved = np.zeros((100, 100), np.bool_)
    moved[:50, 25:75] = True
    assert likeness_matrix(whole(left), whole(moved))[0, 0] == pytest.approx(1 / 3, abs=0.02)
    assert likeness_matrix(whole(left), Detections.none()).shape == (1, 0)


def test_parity_refuses_a_variant_whose_class_masks_moved(tmp_path: Path) -> None:
    file = models.save(maps.class_map(end="Softmax", stride=2), tmp_path)
    bundle = load_bundle(import_model(file, tmp_path / "b", labels=NAMES, feed=FEED))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.01, empty[0].shape).astype(np.float32)

    def shifted(tensor: np.ndarray, by: int) -> list[np.ndarray]:
        return [np.roll(output, by, axis=3) + noise for output in answers.get(tensor.tobytes(), empty)]

    assert judge(bundle.card, partial(shifted, by=0), pairs).passed
    assert not judge(bundle.card, partial(shifted, by=16), pairs).passed


def test_ultralytics_export_says_all_in_its_metadata(tmp_path: Path) -> None:
    metadata = models.ultralytics_metadata(task="semantic")
    file = models.save(maps.class_map(classes=3, stride=8, name="output0", metadata=metadata), tmp_path)
    card = load_bundle(import_model(file, tmp_path / "b")).card
    assert (card.task, card.input.align, card.labels_from) == ("semantic", "centre", "metadata")


def test_what_lies_in_the_padding_only_is_not_told(tmp_path: Path) -> None:
    metadata = models.ultralytics_metadata(task="semantic")
    file = models.save(maps.class_map(classes=3, stride=8, name="output0", metadata=metadata), tmp_path)
    frame = scene((32, 64), seed=3)  # padded by 16 rows above and below
    with open_model(import_model(file, tmp_path / "b")) as model:
        for one in model(frame):
            x1, y1, x2, y2 = one.box_xyxy
            assert 0 <= x1 < x2 <= 64
            assert 0 <= y1 < y2 <= 32
            assert one.mask is not None
            assert any(one.mask.runs[1::2])


def test_a_map_of_one_class_says_where_it_is(tmp_path: Path) -> None:
    """0 is outside, as Ultralytics and PaddleSeg write it; read as class 0, all that is not a crack would be one."""
    file = models.save(maps.class_map(end="index", classes=2, stride=1), tmp_path)
    folder = import_model(file, tmp_path / "b", labels=["crack"], feed=FEED)
    frame = scene(HW, seed=3)
    (output,) = run_original(file, frame, UNIT, ["output"])
    with open_model(folder) as model:
        (one,) = model(frame)
    assert one.mask is not None
    told = from_runs(one.mask.runs, one.mask.size_hw).mean() * np.prod(np.subtract(one.box_xyxy[2:], one.box_xyxy[:2]))
    assert told == pytest.approx((output == 1).sum(), rel=0.1)
    assert (output == 1).mean() < 0.9


REFUSED = {
    "logits": (maps.class_map, {}, "pass --family semantic, and --labels with 4 names"),
    "key-points": (
        partial(maps.class_map, classes=17),
        {"labels": [f"p{at}" for at in range(17)]},
        "heat maps",
    ),
    "matte": (partial(maps.class_map, classes=1, end="Sigmoid", stride=1), {}, "a matte or another picture"),
    "depth": (partial(maps.class_map, classes=1, stride=1), {"labels": ["a"]}, "depth"),
    "picture": (
        partial(maps.class_map, classes=3, stride=1, end="Sigmoid"),
        {"labels": ["a", "b", "c"]},
        "another",
    ),
    "numbers-unnamed": (partial(maps.class_map, end="index"), {}, "do not say how many classes there are"),
    "numbers-too-large": (
        partial(maps.class_map, end="index", classes=9),
        {"labels": ["a", "b"]},
        "and 2 names were passed",
    ),
    "wrong-names": (partial(maps.class_map, end="Softmax"), {"labels": ["a"]}, "pass 4 with --labels"),
    "features": (
        partial(maps.class_map, classes=64, stride=32),
        {"labels": [f"{n}" for n in range(64)]},
        "--card",
    ),
    "ultralytics-depth": (
        partial(maps.class_map, classes=1, stride=1, metadata=models.ultralytics_metadata(task="depth")),
        {},
        "its metadata say task 'depth'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_maps_that_may_show_something_else_are_refused_with_what_to_pass(tmp_path: Path, case: str) -> None:
    build, told, says = REFUSED[case]
    with pytest.raises(ModelUnrecognisedError, match=says):
        import_model(models.save(build(), tmp_path), tmp_path / "b", feed=FEED, **told)


def test_without_a_word_on_pixels_it_is_refused_with_the_choice(tmp_path: Path) -> None:
    file = models.save(maps.class_map(end="Softmax"), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match=r"looks like semantic .*pass --input rgb/imagenet or"):
        import_model(file, tmp_path / "b", labels=NAMES)
