"""Files of other projects that look like a family they are not: read rightly, or refused with what to pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from contract.models.test_import_of_every_family import BYTES, FACE, IMAGENET, UNIT, assert_same, run_original
from support import by_stride, models, strangers
from support import reference_decode as slow
from vigie.errors import ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.cli import main
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

NAMED = {"labels": models.NAMES}
BYTES_RGB = {**BYTES, "order": "rgb"}


def finished(
    outputs: list[Any],
    hw: tuple[int, int],
    score_min: float,
    *,
    columns: tuple[int, int, int],
    share: bool,
    centre: bool,
) -> list[slow.Candidate]:
    """A table read by columns (box, score, label), in plain loops."""
    at, score_at, label_at = columns
    found = []
    for row in outputs[0].reshape(-1, outputs[0].shape[-1]):
        box = tuple(float(value) for value in row[at : at + 4])
        if centre:
            box = slow.corners(*box)
        if share:
            box = (box[0] * hw[1], box[1] * hw[0], box[2] * hw[1], box[3] * hw[0])
        if row[score_at] >= score_min:
            found.append((round(float(row[label_at])), float(row[score_at]), box))
    return found


def apart(outputs: list[Any], hw: tuple[int, int], score_min: float, *, share: bool) -> list[slow.Candidate]:
    """Boxes, scores and labels in outputs of their own."""
    boxes, scores, labels = outputs
    table = np.concatenate((boxes[0], scores.reshape(-1, 1), labels.reshape(-1, 1).astype(np.float32)), axis=1)
    return finished([table], hw, score_min, columns=(0, 4, 5), share=share, centre=False)


def dets(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    return apart([outputs[0][..., :4], outputs[0][..., 4], outputs[1]], hw, score_min, share=False)


def grid(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    """Custom Vision's older head, cell by cell."""
    sizes = [(0.573, 0.677), (1.87, 2.06), (3.34, 5.47), (7.88, 3.53), (9.77, 9.17)]
    table = outputs[0][0]
    each = table.shape[0] // 5
    found = []
    for anchor, (wide, high) in enumerate(sizes):
        for row in range(table.shape[1]):
            for column in range(table.shape[2]):
                x, y, w, h, sure, *logits = (float(v) for v in table[anchor * each : (anchor + 1) * each, row, column])
                powers = [math.exp(value - max(logits)) for value in logits]
                best = max(range(len(powers)), key=powers.__getitem__)
                score = powers[best] / sum(powers) / (1 + math.exp(-sure))
                if score >= score_min:
                    cx, cy = column + 1 / (1 + math.exp(-x)), row + 1 / (1 + math.exp(-y))
                    box = slow.corners(cx * 32, cy * 32, math.exp(w) * wide * 32, math.exp(h) * high * 32)
                    found.append((best, score, box))
    return found


def offsets(outputs: list[Any], hw: tuple[int, int], score_min: float, *, softmax: bool) -> list[slow.Candidate]:
    """UltraFace's priors, walked through one by one."""
    sides = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
    found, at = [], 0
    for stride, lengths in sides.items():
        rows, columns = math.ceil(hw[0] / stride), math.ceil(hw[1] / stride)
        for row in range(rows):
            for column in range(columns):
                for length in lengths:
                    back, face = (float(value) for value in outputs[0][0, at])
                    dx, dy, dw, dh = (float(value) for value in outputs[1][0, at])
                    at += 1
                    score = 1 / (1 + math.exp(back - face)) if softmax else face
                    wide, high = min(length / hw[1], 1.0), min(length / hw[0], 1.0)
                    cx = (column + 0.5) / columns + 0.1 * dx * wide
                    cy = (row + 0.5) / rows + 0.1 * dy * high
                    box = slow.corners(cx, cy, wide * math.exp(0.2 * dw), high * math.exp(0.2 * dh))
                    if score >= score_min:
                        found.append((0, score, (box[0] * hw[1], box[1] * hw[0], box[2] * hw[1], box[3] * hw[0])))
    return found


def face_rows(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    return slow.yolov5([np.delete(outputs[0], range(5, 15), axis=2)], hw, score_min)


def faces_of_scrfd(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    found = []
    for level, stride in enumerate((8, 16, 32)):
        for row, (score, sides) in enumerate(zip(outputs[level][:, 0], outputs[level + 3], strict=True)):
            cell = row // 2
            x, y = cell % math.ceil(hw[1] / stride) * stride, cell // math.ceil(hw[1] / stride) * stride
            left, top, right, bottom = (float(side) * stride for side in sides)
            if score >= score_min:
                found.append((0, float(score), (x - left, y - top, x + right, y + bottom)))
    return found


def pairs(outputs: list[Any], _hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    return slow.yolov8([np.concatenate((outputs[0], outputs[1]), axis=2).transpose(0, 2, 1)], _hw, score_min)


def queries(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    """DETR's: softmax over the classes and "no object", the best class of each query."""
    found = []
    for box, logits in zip(outputs[0][0], outputs[1][0], strict=True):
        powers = [math.exp(float(value)) for value in logits]
        shares = [power / sum(powers) for power in powers][:-1]
        best = max(range(len(shares)), key=shares.__getitem__)
        if shares[best] >= score_min:
            x1, y1, x2, y2 = slow.corners(*(float(value) for value in box))
            found.append((best, shares[best], (x1 * hw[1], y1 * hw[0], x2 * hw[1], y2 * hw[0])))
    return found


def sigmoid_queries(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    """D-FINE's: each query may answer for several classes."""
    found = []
    for box, logits in zip(outputs[0][0], outputs[1][0], strict=True):
        x1, y1, x2, y2 = slow.corners(*(float(value) for value in box))
        for index, logit in enumerate(logits):
            if (score := 1 / (1 + math.exp(-float(logit)))) >= score_min:
                found.append((index, score, (x1 * hw[1], y1 * hw[0], x2 * hw[1], y2 * hw[0])))
    return found


def several(outputs: list[Any], hw: tuple[int, int], score_min: float) -> list[slow.Candidate]:
    whole = (0.0, 0.0, float(hw[1]), float(hw[0]))
    return [(index, float(score), whole) for index, score in enumerate(outputs[0][0]) if score >= score_min]


ROWS = partial(finished, columns=(0, 4, 5), share=True, centre=True)
V7 = partial(finished, columns=(1, 6, 5), share=False, centre=False)
NAS = partial(finished, columns=(1, 5, 6), share=False, centre=False)
PADDLE = partial(finished, columns=(2, 1, 0), share=False, centre=False)

LEGACY = partial(models.yolox, reach=1.0)
SOFTMAXED = partial(strangers.ultraface_offsets, logits=False)
UNIT_NAMED = {**NAMED, "feed": input_fields("rgb/0..1")}

UNIT_FED = {"feed": input_fields("rgb/0..1")}


def raw_queries(*, first: int = 0, **changes: Any) -> onnx.ModelProto:
    """As D-FINE and DEIM are exported without their postprocessor, with names as JSON."""
    return strangers.names_in_json(strangers.hugging_face(columns=3, logits="pred_logits", **changes), first=first)


def swapped() -> onnx.ModelProto:
    """LibreYOLO 1.6 exports YOLO-NAS so: its boxes are called pred_logits, its scores of four classes pred_boxes."""
    return strangers.names_in_json(strangers.pair(4, 84, ("pred_logits", "pred_boxes")), count=4)


# what it is, graph, what is passed, how the original is fed, second decoder, whether boxes are suppressed after it
RIGHT: list[Any] = [
    ("custom-vision", strangers.custom_vision, NAMED, BYTES_RGB, partial(apart, share=True), False),
    ("custom-vision-grid", strangers.custom_vision_grid, NAMED, BYTES, grid, True),
    ("rtdetr-rows", strangers.rtdetr_rows, {}, UNIT, ROWS, False),
    ("ultraface-offsets", strangers.ultraface_offsets, {}, FACE, partial(offsets, softmax=True), True),
    ("ultraface-softmaxed", SOFTMAXED, {}, FACE, partial(offsets, softmax=False), True),
    ("yolox-legacy", LEGACY, {"feed": input_fields("rgb/imagenet")}, IMAGENET, slow.yolox, True),
    ("yolov6", strangers.yolov6, NAMED, UNIT, slow.yolov5, True),
    ("uint8-input", strangers.yolov8_of_bytes, {}, BYTES_RGB, slow.yolov8, True),
    ("scaled-in-graph", partial(strangers.yolov8_of_bytes, dtype=TensorProto.FLOAT), {}, BYTES_RGB, slow.yolov8, True),
    ("yolov5-face", strangers.yolov5_face, {}, UNIT, face_rows, True),
    ("efficient-nms", strangers.efficient_nms, NAMED, UNIT, partial(apart, share=False), False),
    ("yolov7-nms", strangers.seven_columns, NAMED, UNIT, V7, False),
    ("yolo-nas-flat", partial(strangers.seven_columns, nas=True), UNIT_NAMED, UNIT, NAS, False),
    ("paddle-rtdetr", strangers.paddle, NAMED, UNIT, PADDLE, False),
    ("mmdeploy", strangers.mmdeploy, UNIT_NAMED, UNIT, dets, False),
    ("scrfd", by_stride.scrfd, {}, {"order": "rgb", "mean": (127.5,) * 3, "std": (128,) * 3}, faces_of_scrfd, True),
    ("dense-pair", partial(strangers.pair, 3, 84), UNIT_NAMED, UNIT, pairs, True),
    ("detr-softmax", strangers.hugging_face, UNIT_NAMED, UNIT, queries, False),
    ("d-fine-raw", raw_queries, UNIT_FED, UNIT, sigmoid_queries, False),
    ("yolo-nas-names-swapped", swapped, UNIT_FED, UNIT, pairs, True),
    ("multi-label", partial(strangers.numbers, 3, end="Sigmoid"), UNIT_NAMED, UNIT, several, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "passed", "feed", "decode", "suppressed"), [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT]
)
def test_a_strangers_file_is_decoded_as_its_own_project_does(
    tmp_path: Path,
    build: Callable[[], onnx.ModelProto],
    passed: dict[str, Any],
    feed: dict[str, Any],
    decode: slow.Reader,
    suppressed: bool,
) -> None:
    original = models.save(build(), tmp_path)
    bundle = load_bundle(import_model(original, tmp_path / "bundle", **passed))
    card = bundle.card
    hw, picture = (card.input.height, card.input.width), scene((card.input.height, card.input.width), seed=3)
    told = {"scale_factor": np.ones((1, 2), np.float32), "im_shape": np.array([hw], np.float32)}
    before = run_original(original, picture, feed, [output.name for output in card.outputs], told)
    expected = slow.suppress(decode(before, hw, 0.3), 0.45 if suppressed else None)
    with open_engine(bundle) as engine:
        found = make_decoder(card)(engine.run(picture), score_min=0.3, iou_max=0.45)
    assert len(expected) >= 1, "the tiny model sees nothing: the comparison proves nothing"
    assert_same(found, expected)
    assert [one.question for one in card.source.concluded][:4] == ["input", "fit", "labels", "trial"]


CHOICES = "pass --input rgb/0..255 or --input bgr/0..255 or --input bgr/caffe"
ALIKE = "an embedding and a measured value (an angle) look alike; pass --labels with "
FROM_ONE = models.ultralytics_metadata(names=str({number: f"n{number}" for number in range(1, 81)}))
UNREADABLE = models.ultralytics_metadata(names="{0: 'a', 1: person}")
EIGHTY = partial(models.yolov8, classes=80)

REFUSED: list[Any] = [
    ("yolox-legacy", LEGACY, {}, "pass --input rgb/imagenet or --input rgb/0..1"),
    ("bytes-classifier", strangers.bytes_classifier, {}, CHOICES),
    ("embedding", partial(strangers.numbers, 512), {}, ALIKE + "512"),
    (
        "unit-embedding",
        partial(strangers.numbers, 128, end="LpNormalization"),
        {},
        "looks like embedding (one output [1,128] of length 1), but how its pixels are fed is in doubt",
    ),
    ("too-few-names", partial(strangers.numbers, 20), NAMED, "has 20 values, 3 class names were passed; pass 20"),
    ("head-pose", partial(strangers.numbers, 3), {}, ALIKE + "3"),
    (
        "multi-label",
        partial(strangers.numbers, 20, end="Sigmoid"),
        {},
        "shares that do not add up to 1: several answers",
    ),
    (
        "two-classes-raw",
        partial(strangers.pair, 2, 84),
        {},
        "may be UltraFace, RetinaFace or a detector of two classes",
    ),
    ("80-names-from-1", partial(EIGHTY, metadata=FROM_ONE), {}, "its metadata number 80 classes from 1"),
    ("80-unreadable-names", partial(EIGHTY, metadata=UNREADABLE), {}, "but not as a list from 0"),
    ("json-names-from-1", partial(raw_queries, first=1), UNIT_FED, "its metadata number 3 classes from 1"),
    ("rf-detr-fine-tuned", models.rfdetr, NAMED, "and 3 class names; pass --labels with 4 names, one per column"),
    ("queries-in-pixels", partial(raw_queries, corners=64.0), UNIT_FED, "its boxes are not shares of the picture"),
    ("queries-as-corners", partial(raw_queries, corners=1.0), UNIT_FED, "corners"),
    (
        "three-names-for-80",
        partial(EIGHTY, metadata=models.ultralytics_metadata()),
        {},
        "its metadata name 3 classes, its output has 80",
    ),
    (
        "custom-vision-of-shares",
        partial(strangers.custom_vision, reach=1.0),
        NAMED,
        "exports of customvision want rgb/0..255, but its weights want normalised pixels",
    ),
]


@pytest.mark.parametrize(("build", "passed", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_the_evidence_leaves_open_is_refused_with_the_choice(
    tmp_path: Path, build: Callable[[], Any], passed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelUnrecognisedError) as refused:
        import_model(models.save(build(), tmp_path), tmp_path / "out", **passed)
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_input_settles_what_the_weights_leave_open(tmp_path: Path) -> None:
    file = models.save(strangers.bytes_classifier(), tmp_path)
    card = load_bundle(import_model(file, tmp_path / "out", feed=input_fields("bgr/caffe"))).card
    assert (card.source.concluded[0].question, card.source.concluded[0].answer) == ("input", "bgr/caffe")


def test_an_input_that_contradicts_the_weights_is_refused_and_trust_is_kept_in_the_card(tmp_path: Path) -> None:
    file = models.save(models.yolox(), tmp_path)
    with pytest.raises(
        ModelUnrecognisedError, match=r"--input says rgb/0\.\.1, but its weights want 0\.\.255 .*--trust"
    ):
        import_model(file, tmp_path / "out", feed=input_fields("rgb/0..1"))
    card = load_bundle(import_model(file, tmp_path / "out", feed=input_fields("rgb/0..1"), trust=True)).card
    assert card.source.concluded[0].because.startswith("TRUSTED although --input says rgb/0..1")


def test_weights_that_are_listed_as_inputs_and_never_read_do_not_stand_in_the_way(tmp_path: Path) -> None:
    """The UltraFace files of the author's repository."""
    model = models.ultraface()
    model.ir_version = 4
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(4, np.float32), "left-over"))
    for weight in model.graph.initializer:
        model.graph.input.append(models.tensor(weight.name, list(weight.dims), weight.data_type))
    bundle = load_bundle(import_model(models.save(model, tmp_path), tmp_path / "out"))
    assert [item.name for item in onnx.load(bundle.variant().file).graph.input] == ["image_bgr"]


def test_a_quantized_file_is_called_so(tmp_path: Path) -> None:
    model = models.yolox()
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    scale = onnx.numpy_helper.from_array(np.float32(1.0), "in_scale")
    zero = onnx.numpy_helper.from_array(np.uint8(0), "in_zero")
    model.graph.initializer.extend([scale, zero])
    quantized = onnx.helper.make_node("QuantizeLinear", [conv.input[0], "in_scale", "in_zero"], ["in_q"])
    back = onnx.helper.make_node("DequantizeLinear", ["in_q", "in_scale", "in_zero"], ["in_dq"])
    rest = list(model.graph.node)
    conv.input[0] = "in_dq"
    del model.graph.node[:]
    model.graph.node.extend([quantized, back, *rest])
    card = load_bundle(import_model(models.save(model, tmp_path), tmp_path / "out")).card
    assert {name: (facts.precision, facts.form) for name, facts in card.variants.items()} == {"int8": ("int8", "qdq")}
    assert "its quantized input holds 0 to 255" in card.source.concluded[0].because


def test_show_writes_a_picture_for_each_reference_frame_and_prints_what_was_concluded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = models.save(models.yolox(), tmp_path)
    assert main(["models", "import", str(file), "--output", str(tmp_path / "b"), "--show"]) == 0
    printed = capsys.readouterr().out
    assert "input      bgr/0..255, because exports of yolox want bgr/0..255 or rgb/imagenet or rgb/0..1; its" in printed
    assert "weights want 0..255 (mean |w|" in printed
    assert "trial      " in printed
    shown = sorted(path.name for path in (tmp_path / "b-shown").iterdir())
    assert shown == ["cat.jpg", "cup.jpg", "person.jpg", "reference-0.jpg", "reference-1.jpg"]
    assert all((tmp_path / "b-shown" / name).stat().st_size > 1000 for name in shown)


def test_input_and_trust_are_options_with_one_question_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = models.save(strangers.numbers(5, end="Softmax"), tmp_path)
    out = ["--output", str(tmp_path / "b")]
    assert main(["models", "import", str(file), *out]) != 0
    assert "how its pixels are fed is in doubt" in capsys.readouterr().err
    assert main(["models", "import", str(file), *out, "--input", "rgb/0..1"]) == 0
    assert "input      rgb/0..1, because it was stated" in capsys.readouterr().out
    assert main(["models", "import", str(file), *out, "--trust"]) == 0
    assert "TRUSTED although" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["models", "import", str(file), *out, "--input", "rgb/0..7"])
    assert "expected rgb/ or bgr/ and one of 0..255, 0..1" in capsys.readouterr().err
