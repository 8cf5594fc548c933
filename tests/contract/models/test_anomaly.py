"""Anomaly models: the picture's score, where it is abnormal, and whose threshold says so."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from contract.models.test_import_of_every_family import UNIT, run_original
from support import maps, models
from vigie import open_model
from vigie.errors import CardError, ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.decoders import decoder_of
from vigie.vision.decoding import DecoderFacts
from vigie_devkit.accuracy.agreement import agreement
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

HW = (64, 64)
ALL = ("pred_score", "pred_label", "anomaly_map", "pred_mask")
FACTS = DecoderFacts("m", (8, 8), 1, ((1,), (1,), (1, 1, 4, 4)))
LABELLED = {"parts": ["score", "label", "mask"]}


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.95], ids=["sensitive", "usual", "insensitive"])
def test_the_threshold_is_the_one_in_the_graph(tmp_path: Path, threshold: float) -> None:
    file = models.save(maps.anomaly(*ALL, threshold=threshold), tmp_path)
    folder = import_model(file, tmp_path / "b")
    card = load_bundle(folder).card
    assert (card.task, card.decoder.family, card.labels) == ("anomaly", "anomaly", ("anomaly",))
    frame = scene(HW, seed=3)  # the tensor's own size: nothing is scaled
    score, label, map_, mask = run_original(file, frame, UNIT, list(ALL))
    with open_model(folder) as model:
        found = model(frame)
        every = model(frame, score_min=0.0)
    assert (len(found), len(every)) == (int(label[0]), 1)
    assert every.scores[0] == pytest.approx(score[0], abs=1e-5)
    x1, y1, x2, y2 = (round(side) for side in every.boxes_xyxy[0].tolist())
    inside = map_[0, 0] > threshold
    assert np.array_equal(inside, mask[0, 0])
    assert every.class_masks is not None
    if inside.any():
        assert inside[y1:y2, x1:x2].sum() == inside.sum()
        assert every.class_masks[0].mean() == pytest.approx(inside[y1:y2, x1:x2].mean(), abs=0.02)
    else:
        assert (x1, y1, x2, y2) == (0, 0, 64, 64)


@pytest.mark.parametrize("parts", [("pred_score",), ("anomaly_map",), ("pred_score", "anomaly_map")])
def test_without_labels_a_half_is_the_threshold(tmp_path: Path, parts: tuple[str, ...]) -> None:
    file = models.save(maps.anomaly(*parts), tmp_path)
    folder = import_model(file, tmp_path / "b")
    assert load_bundle(folder).card.thresholds.score_min == 0.5
    frame = scene(HW, seed=3)
    (first, *_) = run_original(file, frame, UNIT, list(parts))
    with open_model(folder) as model:
        (one,) = model(frame, score_min=0.0)
    assert one.score == pytest.approx(float(first.max()), abs=1e-3)


def test_older_exports_take_their_thresholds_from_the_file_beside_them(tmp_path: Path) -> None:
    file = models.save(maps.anomaly("anomaly_map", raw=True, first="output"), tmp_path)
    frame = scene(HW, seed=3)
    (map_,) = run_original(file, frame, UNIT, ["output"])
    low, high, threshold = 0.0, 30.0, float(map_.max()) - 3.0
    facts = {
        "task": "segmentation",
        "image_threshold": threshold,
        "pixel_threshold": threshold - 1,
        "min": low,
        "max": high,
    }
    (tmp_path / "metadata.json").write_text(json.dumps(facts))
    folder = import_model(file, tmp_path / "b", feed=input_fields("rgb/0..1"))
    with open_model(folder) as model:
        (one,) = model(frame)
    assert one.score == pytest.approx((map_.max() - threshold) / (high - low) + 0.5, abs=1e-3)
    x1, y1, x2, y2 = (round(side) for side in one.box_xyxy)
    inside = map_[0, 0] > threshold - 1
    assert inside[y1:y2, x1:x2].sum() == inside.sum() > 0


def test_a_picture_of_a_good_part_is_told_only_where_every_score_is_asked_for() -> None:
    decoder = decoder_of("anomaly", LABELLED, FACTS)
    outputs = [np.array([0.3], np.float32), np.array([False]), np.zeros((1, 1, 4, 4), np.bool_)]
    assert len(decoder(outputs, score_min=0.01, iou_max=1.0)) == 0
    (score,) = decoder(outputs, score_min=0.0, iou_max=1.0).scores
    assert score == pytest.approx(0.3)
    outputs[1] = np.array([True])
    assert decoder(outputs, score_min=0.01, iou_max=1.0).boxes_xyxy.tolist() == [[0, 0, 8, 8]], "nowhere in particular"
    outputs[2][0, 0, 1:3, 1:4] = True
    assert decoder(outputs, score_min=0.01, iou_max=1.0).boxes_xyxy.tolist() == [[2, 2, 8, 6]]
    assert len(decoder([np.array([np.nan], np.float32), *outputs[1:]], score_min=0.0, iou_max=1.0)) == 0


def test_a_card_whose_outputs_are_not_these_parts_is_refused() -> None:
    for parts in (["score", "map"], ["map", "label", "score"], ["label", "label", "mask"]):
        with pytest.raises(CardError):
            decoder_of("anomaly", {"parts": parts}, FACTS)


def test_scores_of_good_parts_count_in_every_agreement(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(maps.anomaly(*ALL, threshold=2.0), tmp_path), tmp_path / "b"))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]

    def moved(tensor: np.ndarray, by: float) -> list[np.ndarray]:
        score, *rest = answers.get(tensor.tobytes(), empty)
        return [score - np.float32(by), *rest]

    assert judge(bundle.card, partial(moved, by=0.05), pairs).passed
    assert not judge(bundle.card, partial(moved, by=0.2), pairs).passed, "none of these pictures is abnormal"
    decoder = decoder_of("anomaly", LABELLED, FACTS)
    seen = [
        [
            decoder(
                [np.array([score], np.float32), np.array([False]), np.zeros((1, 1, 4, 4), np.bool_)],
                score_min=0,
                iou_max=1,
            )
        ]
        for score in (0.3, 0.5)
    ]
    assert agreement(seen[0], seen[1]).f1 == 1.0
    assert agreement(seen[0], seen[1], score_within=0.1).f1 == 0.0


def beside(facts: dict[str, object]) -> str:
    return json.dumps(facts)


REFUSED = {
    "raw": (
        partial(maps.anomaly, *ALL, raw=True),
        None,
        "exported without thresholds; run Anomalib's engine.test",
    ),
    "cut": (partial(maps.anomaly, *ALL, cut=8), None, "whether it covers the whole picture or its middle"),
    "no-range": (
        partial(maps.anomaly, "anomaly_map", raw=True, first="output"),
        beside({"image_threshold": 3.0}),
        r"not between which numbers \(min, max\) scores lie",
    ),
    "no-thresholds": (partial(maps.anomaly, "anomaly_map", raw=True, first="output"), None, "depth, a matte"),
    "broken-file": (partial(maps.anomaly, "anomaly_map", raw=True, first="output"), "{", "depth, a matte"),
    "no-number": (
        partial(maps.anomaly, "anomaly_map", raw=True, first="output"),
        f'{{"image_threshold": {"9" * 400}}}',
        "depth, a matte",
    ),
    "nested": (
        partial(maps.anomaly, "anomaly_map", raw=True, first="output"),
        "[" * 100_000,
        "depth, a matte",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_lacks_a_threshold_or_a_place_is_refused_with_what_to_do(tmp_path: Path, case: str) -> None:
    build, facts, says = REFUSED[case]
    if facts is not None:
        (tmp_path / "metadata.json").write_text(facts)
    with pytest.raises(ModelUnrecognisedError, match=says):
        import_model(models.save(build(), tmp_path), tmp_path / "b", feed=input_fields("rgb/0..1"))
