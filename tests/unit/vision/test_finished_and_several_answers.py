"""Boxes that the graph has finished in each order that exporters write, and pictures with several answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.models import make_card
from vigie.errors import CardError
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Detections

HW = (64, 96)
# Three parts in pixels, corners; the last is padding of score 0.
BOXES = np.array([[10, 20, 30, 50], [5, 5, 25, 15], [60, 30, 90, 60], [0, 0, 1, 1]], np.float32)
SCORES = np.array([0.6, 0.9, 0.3, 0.0], np.float32)
LABELS = np.array([2, 0, 1, 0], np.float32)
SIDES = np.array([96, 64, 96, 64], np.float32)
CENTRES = np.stack(
    [
        (BOXES[:, 0] + BOXES[:, 2]) / 2,
        (BOXES[:, 1] + BOXES[:, 3]) / 2,
        BOXES[:, 2] - BOXES[:, 0],
        BOXES[:, 3] - BOXES[:, 1],
    ],
    axis=1,
)


def decoded(family: str, given: list[np.ndarray], *, score_min: float = 0.2, **params: Any) -> Detections:
    decoder = make_decoder(make_card(family, [item.shape for item in given], hw=HW, classes=3, params=params))
    return decoder(given, score_min=score_min, iou_max=0.5)


def column(values: np.ndarray) -> np.ndarray:
    return values[:, None]


@pytest.mark.parametrize(
    ("given", "params"),
    [
        ([BOXES, SCORES, LABELS], {}),
        ([BOXES[None], SCORES[None], LABELS[None]], {}),
        ([BOXES[None], SCORES[:, None], LABELS[:, None].astype(np.int64)], {}),
        ([BOXES / SIDES, SCORES, LABELS], {"units": "share"}),
        ([BOXES[:, [1, 0, 3, 2]], SCORES, LABELS], {"boxes": "yxyx"}),
        ([CENTRES, SCORES, LABELS], {"boxes": "cxcywh"}),
        ([(CENTRES / SIDES)[None], SCORES, LABELS], {"boxes": "cxcywh", "units": "share"}),
        ([np.hstack([BOXES, column(SCORES)]), LABELS], {"score_at": 4}),
        ([np.hstack([BOXES, column(LABELS)]), SCORES], {"label_at": 4}),
        ([np.hstack([BOXES, column(SCORES), column(LABELS)])[None]], {"score_at": 4, "label_at": 5}),
        (
            [np.hstack([column(LABELS + 1), column(SCORES), BOXES])],
            {"box_at": 2, "score_at": 1, "label_at": 0, "first_label": 1},
        ),
        (
            [np.hstack([column(LABELS * 0), BOXES, column(LABELS), column(SCORES)])],
            {"box_at": 1, "score_at": 6, "label_at": 5},
        ),
    ],
    ids=[
        "apart",
        "apart with a batch axis",
        "lists as columns",
        "shares",
        "rows first",
        "centre and size",
        "shares of centre and size",
        "labels beside",
        "scores beside",
        "one table",
        "class score box",
        "batch box class score",
    ],
)
def test_the_same_parts_are_found_whatever_the_order(given: list[np.ndarray], params: dict[str, Any]) -> None:
    found = decoded("finished", given, **params)
    best_first = [1, 0, 2]
    assert found.class_ids.tolist() == [0, 2, 1]
    assert found.scores == pytest.approx(SCORES[best_first])
    assert found.boxes_xyxy == pytest.approx(BOXES[best_first], abs=1e-3)


def test_padding_of_score_0_never_comes_back_and_the_threshold_itself_counts() -> None:
    given = [BOXES, SCORES, LABELS]
    assert len(decoded("finished", given, score_min=0.0)) == 3
    assert decoded("finished", given, score_min=float(SCORES[0])).class_ids.tolist() == [0, 2]


def test_overlapping_rows_stay_unless_the_card_asks_to_suppress_them() -> None:
    twice = [np.repeat(BOXES[:1], 2, axis=0), np.array([0.8, 0.7], np.float32), np.array([1, 1], np.float32)]
    assert len(decoded("finished", twice)) == 2
    assert decoded("finished", twice, suppress=True).scores.tolist() == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("shapes", "params", "told"),
    [
        ([(4,), (4,), (4,)], {}, "need a table of boxes and 2 further lists"),
        ([(2, 4, 4), (4,), (4,)], {}, "need a table of boxes and 2 further lists"),
        ([(4, 4), (4,)], {}, "need a table of boxes and 2 further lists"),
        ([(4, 5), (4, 2)], {"score_at": 4}, "need a table of boxes and 1 further lists"),
        ([(4, 6), (4,)], {"score_at": 4, "label_at": 5}, "need a table of boxes and 0 further lists"),
        ([], {}, "need a table of boxes and 2 further lists"),
        ([(4, 3), (4,), (4,)], {}, "the table has 3 columns, column 3 is asked for"),
        ([(4, 5)], {"score_at": 4, "label_at": 5}, "the table has 5 columns, column 5 is asked for"),
        ([(4, 5), (4,)], {"box_at": 2, "score_at": 0}, "the table has 5 columns, column 5 is asked for"),
    ],
)
def test_a_card_whose_outputs_hold_no_such_table_is_refused(
    shapes: list[tuple[int, ...]], params: dict[str, Any], told: str
) -> None:
    with pytest.raises(CardError, match=told):
        make_decoder(make_card("finished", shapes, hw=HW, classes=3, params=params))


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1)], ids=str)
def test_every_answer_above_the_threshold_is_told_about_the_whole_picture(shape: tuple[int, ...]) -> None:
    scores = np.array([0.5, 0.1, 0.8], np.float32)
    found = decoded("multilabel", [scores.reshape(shape)], score_min=0.5)
    assert found.class_ids.tolist() == [2, 0]
    assert found.scores.tolist() == pytest.approx([0.8, 0.5])
    assert found.boxes_xyxy.tolist() == [[0, 0, 96, 64]] * 2


def test_logits_become_scores_also_where_they_are_huge() -> None:
    found = decoded("multilabel", [np.array([[0.0, -200.0, 200.0]], np.float32)], score_min=0.5, sigmoid=True)
    assert dict(zip(found.class_ids.tolist(), found.scores.tolist(), strict=True)) == {2: 1.0, 0: 0.5}


@pytest.mark.parametrize("shapes", [[(1, 4)], [(2, 3)], [(3,)], [(1, 3, 2)], [(1, 3), (1, 3)]], ids=str)
def test_outputs_that_are_not_one_score_for_each_label_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(CardError, match="this family needs outputs"):
        make_decoder(make_card("multilabel", shapes, hw=HW, classes=3))
