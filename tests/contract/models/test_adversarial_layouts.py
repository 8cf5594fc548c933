"""Layouts made to be taken for another family: each is read as its own project reads it, or refused; none misread."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from contract.models.test_import_of_every_family import assert_same
from support import models
from support import reference_decode as slow
from support.layouts import Layout, build, truth
from vigie.errors import ModelError
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import feed_of, input_fields
from vigie_devkit.models.fold import feed_original
from vigie_devkit.models.pictures import scene

FORMATS = ("cxcywh", "xyxy", "yxyx", "ltwh", "cxcywh_share", "xyxy_share", "yxyx_share", "cells")
SQUARE = (64, 64)
DONE = ("xyxy", "yxyx", "ltwh", "cxcywh", "xyxy_share", "yxyx_share", "cxcywh_share")

LAYOUTS: list[Layout] = [
    # Taken for YOLOX or YOLOv6: [1, A, 5+C].
    *(Layout("box+obj+classes", boxes=form) for form in FORMATS),
    *(Layout("box+obj+classes", boxes=form, reach=255.0) for form in FORMATS),
    *(Layout("box+one+classes", boxes=form) for form in ("cxcywh", "xyxy", "cells")),
    Layout("box+obj+logits", boxes="cells", reach=255.0),
    Layout("box+obj+classes+angle", boxes="cells", reach=255.0, labels=4),
    Layout("box+obj+points", boxes="cells", reach=255.0, labels=15),
    Layout("classes+obj+box", boxes="cxcywh", reach=255.0),
    # Taken for YOLOv8: [1, 4+C, A].
    *(Layout("box+classes", boxes=form, turned=True) for form in FORMATS),
    Layout("box+classes", turned=True, reach=255.0),
    Layout("box+logits", turned=True),
    Layout("box+classes+angle", turned=True, labels=4),
    Layout("box+classes+points", turned=True, labels=18),
    Layout("box+classes+masks", turned=True, labels=11),
    Layout("classes+box", turned=True),
    Layout("box+obj+classes", turned=True),
    Layout("box+classes", boxes="xyxy", turned=True, task="detect"),
    # Taken for end2end: [1, N, 6].
    *(Layout("box+score+label", boxes=form, dense=False) for form in DONE),
    Layout("box+label+score", boxes="xyxy", dense=False),
    Layout("label+score+box", boxes="xyxy", dense=False),
    Layout("score+label+box", boxes="xyxy", dense=False),
    Layout("box+score+label", boxes="xyxy", dense=False, labels=2),
    Layout("box+score+label", boxes="xyxy", dense=False, reach=255.0),
    # Taken for YOLOv7's or YOLO-NAS's table, or DetectionOutput.
    *(Layout("batch+box+label+score", boxes=form, dense=False, rank=2) for form in ("xyxy", "cxcywh", "xyxy_share")),
    *(Layout("batch+box+score+label", boxes=form, dense=False, rank=2) for form in ("xyxy", "yxyx_share")),
    *(Layout("batch+label+score+box", boxes=form, dense=False, rank=4) for form in DONE[::2]),
    # Taken for Custom Vision, TensorFlow, EfficientNMS, torchvision by their names or ranks.
    *(
        Layout("box+score+label", boxes=form, dense=False, reach=255.0, names=names)
        for names in (
            ("detected_boxes", "detected_scores", "detected_classes"),
            ("detection_boxes", "detection_scores", "detection_classes"),
        )
        for form in ("xyxy", "cxcywh_share", "ltwh")
    ),
    *(
        Layout("box+score+label", boxes=form, dense=False, names=("det_boxes", "det_scores", "det_classes"))
        for form in ("xyxy", "xyxy_share", "cxcywh", "ltwh")
    ),
    *(
        Layout("box+score+label", boxes=form, dense=False, rank=2, names=("boxes", "scores", "labels"))
        for form in ("xyxy", "xyxy_share", "cxcywh")
    ),
    Layout("box+score+label", boxes="xyxy_share", dense=False, names=("out_boxes", "out_scores", "out_classes")),
    # Taken for Ultralytics' oriented boxes, by their metadata: each has to be refused.
    *(
        Layout("box+classes+angle", boxes=form, turned=True, task="obb")
        for form in ("xyxy", "yxyx", "ltwh", "cxcywh_share", "cells")
    ),
    Layout("box+logits+angle", turned=True, task="obb"),
    Layout("box+angle+classes", turned=True, task="obb"),
    Layout("classes+box+angle", turned=True, task="obb"),
    Layout("box+obj+classes", turned=True, task="obb"),
    Layout("box+classes+points", turned=True, task="obb"),
    *(Layout("box+score+label+angle", boxes=form, dense=False, task="obb") for form in ("xyxy", "yxyx", "xyxy_share")),
    Layout("box+label+score+angle", dense=False, task="obb"),
    Layout("box+angle+score+label", dense=False, task="obb"),
    # Taken for finished boxes, but nothing has suppressed them: a row for every cell.
    *(Layout("box+score+label", boxes=form) for form in ("xyxy", "cxcywh", "xyxy_share", "yxyx")),
    *(Layout("box+score+label", boxes=form, rank=2) for form in ("xyxy", "xyxy_share")),
    *(
        Layout("box+score+label", boxes=form, names=names)
        for form in ("xyxy", "xyxy_share", "cxcywh", "yxyx")
        for names in (
            ("boxes", "scores", "class_idx"),
            ("det_boxes", "det_scores", "det_classes"),
            ("output_0", "output_1", "output_2"),
        )
    ),
    Layout("box+score+label", boxes="xyxy", names=("boxes", "scores", "labels"), rank=2),
    Layout("batch+box+label+score", boxes="xyxy", rank=2),
    Layout("batch+box+score+label", boxes="xyxy", rank=2),
    # Taken for RF-DETR by their names: its boxes are centre and size.
    *(Layout("box+logits", boxes=form, dense=False, names=("dets", "labels")) for form in DONE[:-1]),
    # Taken for UltraFace.
    *(Layout("box+pair", boxes=form, names=("boxes", "scores"), labels=1) for form in FORMATS[::3]),
    # Taken for x, y where y comes first, in a square input.
    *(
        Layout(columns, boxes=form, dense=dense, hw=SQUARE, fed=True)
        for columns in ("box+score+label", "batch+box+score+label", "batch+box+label+score")
        for form in ("xyxy", "yxyx", "yxyx_share")
        for dense in (True, False)
    ),
    *(
        Layout("box+score+label", boxes=form, dense=dense, hw=SQUARE, names=names, rank=rank, fed=True)
        for form in ("xyxy", "yxyx", "xyxy_share", "yxyx_share")
        for dense in (True, False)
        for names, rank in (
            (("boxes", "scores", "class_idx"), 3),
            (("det_boxes", "det_scores", "det_classes"), 3),
            (("detected_boxes", "detected_scores", "detected_classes"), 3),
            (("detection_boxes", "detection_scores", "detection_classes"), 3),
            (("output_0", "output_1", "output_2"), 2),
        )
    ),
    # Taken for numbers from 1: class 0 is one of them.
    Layout("batch+label+score+box", boxes="xyxy_share", dense=False, rank=4, fed=True),
    Layout("box+score+label", boxes="xyxy", dense=False, rank=2, names=("boxes", "scores", "labels"), fed=True),
    # Taken for YOLOX of one class fewer: nobody has named the classes.
    *(Layout("box+classes", classes=classes, labels=0, fed=True) for classes in (2, 3, 4)),
    # Taken for a sigmoid of each class: the first column says that nothing is there.
    *(Layout("box+softmax", boxes=form, names=("boxes", "scores"), fed=True) for form in ("xyxy", "xyxy_share")),
]  # fmt: skip


def test_there_are_sixty_of_them() -> None:
    assert len({layout.id for layout in LAYOUTS}) == len(LAYOUTS) >= 60


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.id for layout in LAYOUTS])
def test_no_layout_is_misread(tmp_path: Path, layout: Layout) -> None:
    file = models.save(build(layout), tmp_path)
    labels = [f"n{index}" for index in range(layout.labels)] or None
    told = input_fields("rgb/0..255" if layout.reach > 1 else "rgb/0..1") if layout.fed else None
    try:
        folder = import_model(file, tmp_path / "out", labels=labels, feed=told)
    except ModelError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "--" in refused, "a refusal says what to pass"
        return
    bundle = load_bundle(folder)
    assert bundle.card.task == "detection", "the truth of these layouts is upright boxes"
    picture = scene(layout.hw, seed=3)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    order = (
        "bgr" if bundle.card.decoder.family == "yolox" and not layout.fed else "rgb"
    )  # no file shows it; the family's convention
    feed = feed_of(f"{order}/{'0..255' if layout.reach > 1 else '0..1'}", bundle.card.input.align)
    tensors = {"images": feed_original(picture, feed, nhwc=False, dtype="float32", batch=True)}
    before = dict(zip(names, session.run(names, tensors), strict=True))
    suppressed = 0.45 if layout.dense else None
    with open_engine(bundle) as engine:
        found = make_decoder(bundle.card)(engine.run(picture), score_min=0.3, iou_max=0.45)
    expected = slow.suppress(truth(layout, before, 0.3), suppressed)
    assert len(expected) >= 1
    assert_same(found, expected)
