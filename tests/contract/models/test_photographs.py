"""Photographs that ship settle what weights leave open: how pixels are fed, and whether class names are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from support import models
from support.data import real_input
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.photographs import PHOTOGRAPHS, class_ids_of, views
from vigie_devkit.models.labels import COCO80


def by_colour(channels: tuple[float, float, float], bias: float) -> onnx.ModelProto:
    """A classifier of two classes: a weighted sum of the mean red, green and blue, each in 0..1, above -``bias``."""
    weights = 60.0 * np.array([[-part for part in channels], channels]).reshape(2, 3, 1, 1)
    g = models.Graph()
    coloured = g.add("Conv", "images", g.constant(weights), g.constant([-60 * bias, 60 * bias]))
    g.add("ReduceMean", coloured, axes=[2, 3], keepdims=0, name="scores")
    return g.model([models.image((64, 64))], [models.tensor("scores", [1, 2])])


def yolox_as_pair() -> onnx.ModelProto:
    """The trained YOLOX-nano (bgr/0..255) as other projects export: placed corners [1,A,4] and scores [1,A,80]."""
    model = onnx.load(real_input("yolox_nano.onnx"))
    graph = model.graph
    table = graph.output[0].name
    corners, strides = [], []
    for stride in (8, 16, 32):
        y, x = np.mgrid[0 : 416 // stride, 0 : 416 // stride]
        corners.append(np.stack((x.ravel(), y.ravel()), axis=1))
        strides.append(np.full((x.size, 1), stride))
    constants = {
        "corner": np.concatenate(corners)[None].astype(np.float32),
        "stride": np.concatenate(strides)[None].astype(np.float32),
        "half": np.float32(0.5),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    nodes = [
        ("Split", [table], ["xy", "wh", "sure", "classes"], {"axis": 2, "split": [2, 2, 1, 80]}),
        ("Add", ["xy", "corner"], ["cells"], {}),
        ("Mul", ["cells", "stride"], ["middle"], {}),
        ("Exp", ["wh"], ["grown"], {}),
        ("Mul", ["grown", "stride"], ["sides"], {}),
        ("Mul", ["sides", "half"], ["halves"], {}),
        ("Sub", ["middle", "halves"], ["low"], {}),
        ("Add", ["middle", "halves"], ["high"], {}),
        ("Concat", ["low", "high"], ["boxes"], {"axis": 2}),
        ("Mul", ["classes", "sure"], ["scores"], {}),
    ]
    graph.node.extend(helper.make_node(kind, ins, outs, **more) for kind, ins, outs, more in nodes)
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3549, width])
        for name, width in (("boxes", 4), ("scores", 80))
    )
    return model


def test_the_feed_that_sees_what_photographs_show_is_taken_and_its_reason_kept(tmp_path: Path) -> None:
    file = models.save(by_colour((1.0, -1.0, -1.0), 0.09), tmp_path)
    card = load_bundle(import_model(file, tmp_path / "b", labels=("cat", "cup"))).card
    said = {one.question: one for one in card.source.concluded}
    assert said["input"].answer == "rgb/0..1"
    assert "of the cat and the cup in 12 views of photographs it is sure by rgb/0..1 1.00" in said["input"].because
    assert said["names"].answer.startswith("cat ")


def test_a_model_that_sees_the_same_either_way_is_refused_with_the_choice_and_the_figures(tmp_path: Path) -> None:
    file = models.save(by_colour((1.0, -1.0, 1.0), 0.0), tmp_path)  # red and blue count alike
    with pytest.raises(ModelUnrecognisedError, match=r"views of photographs.*settles nothing; pass .*rgb/0\.\.1 or"):
        import_model(file, tmp_path / "b", labels=("cat", "cup"))
    assert not (tmp_path / "b").exists()


def test_a_model_of_other_things_is_asked_for_as_before(tmp_path: Path) -> None:
    file = models.save(by_colour((1.0, -1.0, -1.0), 0.09), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match=r"its weights fit several; pass --input"):
        import_model(file, tmp_path / "b", labels=("bolt", "nut"))


def test_a_trained_detector_tells_its_order_of_channels_by_what_it_sees(tmp_path: Path) -> None:
    file = models.save(yolox_as_pair(), tmp_path)
    bundle = load_bundle(import_model(file, tmp_path / "b", labels=COCO80))
    said = {one.question: one for one in bundle.card.source.concluded}
    assert bundle.card.decoder.family == "dense"
    assert said["input"].answer == "bgr/0..255"
    assert "rgb/0..255 0." in said["input"].because
    assert "person 0.9" in said["names"].answer


def test_class_names_that_are_counted_from_another_number_are_refused(tmp_path: Path) -> None:
    """The file names no classes; passed names with a background in front shift every one of them."""
    file = real_input("yolox_nano.onnx")
    with pytest.raises(ModelUnrecognisedError, match=r"calls the cat 'bird' 0\.\d+, the cup 'wine glass' .*--labels"):
        import_model(file, tmp_path / "b", labels=("background", *COCO80[:-1]))
    assert not (tmp_path / "b").exists()
    card = load_bundle(import_model(file, tmp_path / "b", labels=("background", *COCO80[:-1]), trust=True)).card
    assert any(one.answer.startswith("TRUSTED although on the photographs") for one in card.source.concluded)


def test_known_things_stay_inside_every_view() -> None:
    for photograph in PHOTOGRAPHS:
        assert len(views(photograph)) == 6
        for view in views(photograph):
            height, width = view.frame_bgr.shape[:2]
            for x1, y1, x2, y2 in view.boxes_xyxy:
                assert -width / 15 <= x1 < x2 <= width * 16 / 15
                assert -height / 15 <= y1 < y2 <= height * 16 / 15
    assert class_ids_of(PHOTOGRAPHS[0].shows[0], ["dog", "tabby, tabby cat", "catfish"]) == (1,)
