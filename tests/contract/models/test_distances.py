"""Dense heads that draw a distribution of distances for each side, coarsest level first, as libreyolo exports PP-YOLOE.

Boxes of trained heads lie up to 0.6 strides from their cells in the median (a YOLOv8 and a YOLOX of others, a PP-YOLOE
after two minutes of training); those of an untrained one with saturated bins can lie 8 strides away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from contract.models.test_import_of_every_family import UNIT, assert_same, run_original
from support import models
from support import reference_decode as slow
from support.models import CLASSES, Graph, anchors, image, tensor
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import strided_grid
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

HW, STRIDES, BINS = (96, 128), (32, 16, 8), 17


def passed(classes: int) -> dict[str, Any]:
    return {"feed": input_fields("rgb/0..1"), "labels": tuple(f"thing-{index}" for index in range(classes))}


def distances(lean: float, classes: int = CLASSES) -> onnx.ModelProto:
    """[1, A, 4] corners in pixels and [1, A, C] scores. ``lean``: strides from each cell to the middle of its box."""
    g = Graph(41)
    bins = g.add("Reshape", g.features("images", STRIDES, 4 * BINS, scale=0.1), g.constant([4, BINS, -1], np.int64))
    steps = g.add("Mul", g.add("Softmax", bins, axis=1), g.constant(np.arange(BINS).reshape(1, BINS, 1)))
    sides = g.add("ReduceSum", steps, g.constant([1], np.int64), keepdims=0)
    cells, strides = strided_grid(HW, STRIDES)
    signed = g.add("Mul", sides, g.constant([[-1.0], [-1.0], [1.0], [1.0]]))
    corners = g.add("Add", signed, g.constant(np.tile(cells.T + 0.5, (2, 1)) - lean))
    boxes = g.add("Mul", corners, g.constant(strides.T))
    g.add("Transpose", g.add("Unsqueeze", boxes, g.constant([0], np.int64)), perm=[0, 2, 1], name="boxes")
    scores = g.add("Sigmoid", g.features("images", STRIDES, classes))
    g.add("Transpose", scores, perm=[0, 2, 1], name="scores")
    rows_out = anchors(HW, STRIDES)
    return g.model([image(HW)], [tensor("boxes", [1, rows_out, 4]), tensor("scores", [1, rows_out, classes])])


@pytest.mark.parametrize(
    ("lean", "classes"), [(0.0, CLASSES), (0.6, CLASSES), (-0.6, CLASSES), (2.0, CLASSES), (0.0, 1), (0.0, 2), (0.0, 4)]
)
def test_boxes_about_their_cells_are_read_and_decoded(tmp_path: Path, lean: float, classes: int) -> None:
    original = models.save(distances(lean, classes), tmp_path)
    bundle = load_bundle(import_model(original, tmp_path / "bundle", **passed(classes)))
    assert bundle.card.decoder.family == "dense"
    picture = scene(HW, seed=3)
    before = run_original(original, picture, UNIT, ["boxes", "scores"], {})
    with open_engine(bundle) as engine:
        found = make_decoder(bundle.card)(engine.run(picture), score_min=0.3, iou_max=0.45)
    best = [
        (int(row.argmax()), float(row.max()), tuple(box)) for box, row in zip(before[0][0], before[1][0], strict=True)
    ]
    expected = slow.suppress([one for one in best if one[1] >= 0.3], 0.45)
    assert len(expected) >= 1
    assert_same(found, expected)


@pytest.mark.parametrize("lean", [4.0, -4.0])
def test_boxes_that_lie_elsewhere_are_refused_as_nothing_confirms_them(tmp_path: Path, lean: float) -> None:
    file = models.save(distances(lean), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match="they do not lie about their cells"):
        import_model(file, tmp_path / "bundle", **passed(CLASSES))
