"""What converters do to dense heads is undone where the values of a run show it, and left alone where they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vigie.runtimes.engines.reference_run import run_reference
from vigie.vision.detections import strided_grid
from vigie_devkit.models.tflite.orient import orient

SIZE = (96, 64)  # height, width: a share of the wrong side shows
SIDES = np.array([64, 96, 64, 96], np.float32)


def boxes(per_cell: int = 1) -> Any:
    """(A, 4) centres and sizes in pixels, about the cells of three strides."""
    rng = np.random.default_rng(2)
    found = []
    for stride in (8, 16, 32):
        cells, _ = strided_grid(SIZE, (stride,))
        centre = (np.tile(cells, (per_cell, 1)) + 0.5 + rng.uniform(-0.4, 0.4, (len(cells) * per_cell, 2))) * stride
        found.append(np.concatenate([centre, rng.uniform(1, 3, centre.shape) * stride], axis=1))
    return np.concatenate(found).astype(np.float32)


def identity(shape: tuple[int, ...]) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("in", "out")]
    graph = helper.make_graph([helper.make_node("Identity", ["in"], ["out"])], "g", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def oriented(answer: Any, classes: int | None) -> tuple[tuple[str, ...], Any]:
    model = identity(answer.shape)
    steps = orient(model, answer, SIZE, classes)
    onnx.checker.check_model(model, full_check=True)
    return steps, run_reference(model.SerializeToString(), {"in": answer}, name="g")["out"]


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_yolov8_head_becomes_columns_in_pixels(share: bool, turned: bool) -> None:
    placed = boxes()
    scores = np.random.default_rng(3).uniform(0, 1, (len(placed), 3)).astype(np.float32)
    wanted = np.concatenate([placed, scores], axis=1).T[None]
    given = np.concatenate([placed / SIDES if share else placed, scores], axis=1)[None]
    steps, found = oriented(given if turned else np.ascontiguousarray(given.transpose(0, 2, 1)), 3)
    assert steps == (
        *(["rows and columns turned"] if turned else []),
        *(["boxes multiplied by the input's sides"] if share else []),
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_yolov5_head_keeps_its_rows_and_loses_its_shares() -> None:
    placed = boxes(per_cell=3)
    scores = np.random.default_rng(3).uniform(0, 1, (len(placed), 4)).astype(np.float32)
    steps, found = oriented(np.concatenate([placed / SIDES, scores], axis=1)[None], 3)
    assert steps == ("boxes multiplied by the input's sides",)
    np.testing.assert_allclose(found[0], np.concatenate([placed, scores], axis=1), rtol=1e-5)


def test_rows_of_another_meaning_stay_as_they_are() -> None:
    placed = boxes()
    logits = np.random.default_rng(3).normal(0, 4, (len(placed), 3)).astype(np.float32)
    with_logits = np.concatenate([placed, logits], axis=1)[None]
    noise = np.random.default_rng(4).normal(0, 1, with_logits.shape).astype(np.float32)
    for answer, classes in (
        (with_logits, 3),
        (noise, 3),
        (np.abs(with_logits), None),
        (noise[:, :50], 3),
        (noise[0], 3),
    ):
        steps, found = oriented(answer, classes)
        assert steps == ()
        np.testing.assert_array_equal(found, answer)
