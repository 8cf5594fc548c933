"""Tiny graphs with the outside of other projects' exports, real or made to look like another's: none may be misread."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from support.models import CLASSES, Graph, anchors, image, tensor, ultralytics_metadata
from vigie.vision.decoders.retinaface import priors_xywh
from vigie.vision.decoders.ultraface import prior_count

HW = (64, 64)


def custom_vision(*, reach: float = 255.0, integer: int = TensorProto.INT64) -> onnx.ModelProto:
    """detected_boxes [1, N, 4] as x1, y1, x2, y2 in 0..1, classes from 0; a few rows that depend on the picture."""
    g = Graph(21, reach)
    rows = g.features("image_tensor", (16,), 4 + CLASSES)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([0.5]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([0.5]))
    corners = g.add("Concat", xy, g.add("Add", xy, wh), axis=1)
    g.add("Transpose", corners, perm=[0, 2, 1], name="detected_boxes")
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    g.add("ReduceMax", scores, axes=[1], keepdims=0, name="detected_scores")
    g.add("Cast", g.add("ArgMax", scores, axis=1, keepdims=0), to=integer, name="detected_classes")
    return g.model(
        [image(HW, "image_tensor")],
        [
            tensor("detected_boxes", [1, 16, 4]),
            tensor("detected_scores", [1, 16]),
            tensor("detected_classes", [1, 16], integer),
        ],
    )


def custom_vision_grid(hw: tuple[int, int] = (96, 128)) -> onnx.ModelProto:
    g = Graph(22, reach=255.0)
    channels = 5 * (5 + CLASSES)
    rows = g.features("data", (32,), channels, scale=0.6)
    shape = [1, channels, hw[0] // 32, hw[1] // 32]
    g.add("Reshape", rows, g.constant(shape, np.int64), name="model_outputs0")
    return g.model([image(hw, "data")], [tensor("model_outputs0", shape)])


def rtdetr_rows() -> onnx.ModelProto:
    """Ultralytics' RT-DETR with its choice in the graph: [1, N, 6] of cx, cy, w, h in 0..1, score, class."""
    g = Graph(23)
    table = g.features("images", (8,), 4 + CLASSES)
    place = g.add("Add", g.add("Mul", g.add("Sigmoid", g.slice(table, 0, 2, 1)), g.constant([0.4])), g.constant([0.3]))
    size = g.add("Mul", g.add("Sigmoid", g.slice(table, 2, 4, 1)), g.constant([0.5]))
    per_class = g.add("Sigmoid", g.slice(table, 4, 4 + CLASSES, 1))
    score = g.add("ReduceMax", per_class, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", per_class, axis=1), to=TensorProto.FLOAT)
    g.add("Transpose", g.add("Concat", place, size, score, label, axis=1), perm=[0, 2, 1], name="output0")
    metadata = ultralytics_metadata(head="RTDETRDecoder")
    return g.model([image(HW)], [tensor("output0", [1, 64, 6])], metadata=metadata)


def ultraface_offsets(hw: tuple[int, int] = (48, 64), *, logits: bool = True) -> onnx.ModelProto:
    """UltraFace without its postprocessing: offsets from the priors, scores without their softmax."""
    g = Graph(24)
    rows = g.priors("input", hw)
    scores = g.add("Transpose", g.slice(rows, 0, 2, 1), perm=[0, 2, 1], name="scores" if logits else None)
    if not logits:
        g.add("Softmax", scores, axis=2, name="scores")
    g.add("Transpose", g.slice(rows, 2, 6, 1), perm=[0, 2, 1], name="boxes")
    count = prior_count(hw)
    return g.model([image(hw, "input")], [tensor("scores", [1, count, 2]), tensor("boxes", [1, count, 4])])


def yolov6() -> onnx.ModelProto:
    g = Graph(25)
    rows = g.features("images", (8, 16, 32), 5 + CLASSES)
    ones = g.add("Add", g.add("Mul", g.slice(rows, 4, 5, 1), g.constant([0.0])), g.constant([1.0]))
    scores = g.add("Sigmoid", g.slice(rows, 5, 5 + CLASSES, 1))
    table = g.add("Concat", g.on_grid(rows, HW, (8, 16, 32)), ones, scores, axis=1)
    g.add("Transpose", table, perm=[0, 2, 1], name="outputs")
    return g.model([image(HW)], [tensor("outputs", [1, anchors(HW), 5 + CLASSES])])


def yolov8_of_bytes(*, dtype: int = TensorProto.UINT8) -> onnx.ModelProto:
    """YOLOv8 whose graph divides by 255 itself; its input takes bytes, or 0..255 as floats."""
    g = Graph(7)
    whole = g.add("Cast", "images", to=TensorProto.FLOAT) if dtype != TensorProto.FLOAT else "images"
    rows = g.features(g.add("Div", whole, g.constant([255.0])), (8, 16, 32), 4 + CLASSES)
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    g.add("Concat", g.on_grid(rows, HW, (8, 16, 32)), scores, axis=1, name="output0")
    outputs = [tensor("output0", [1, 4 + CLASSES, anchors(HW)])]
    return g.model([tensor("images", [1, 3, *HW], dtype)], outputs, metadata=ultralytics_metadata())


def bytes_classifier() -> onnx.ModelProto:
    """Channels last, pixels as they are less a mean that only its trainer knows (open-nsfw)."""
    g = Graph(26, reach=255.0)
    planes = g.add("Transpose", "input", perm=[0, 3, 1, 2])
    flat = g.add("ReduceMean", g.features(planes, (32,), 2), axes=[2], keepdims=0)
    g.add("Softmax", flat, axis=1, name="predictions")
    return g.model([tensor("input", [1, 64, 64, 3])], [tensor("predictions", [1, 2])])


def yolov5_face() -> onnx.ModelProto:
    """[1, 3A, 16]: box, objectness, five landmarks in pixels, class."""
    g = Graph(27)
    parts = []
    for stride in (8, 8, 8, 16, 16, 16, 32, 32, 32):  # an anchor after the other, level by level
        rows = g.features("input", (stride,), 16)
        landmarks = g.add("Mul", g.add("Sigmoid", g.slice(rows, 5, 15, 1)), g.constant([64.0]))
        scores = [g.add("Sigmoid", g.slice(rows, at, at + 1, 1)) for at in (4, 15)]
        parts.append(g.add("Concat", g.on_grid(rows, HW, (stride,)), scores[0], landmarks, scores[1], axis=1))
    g.add("Transpose", g.add("Concat", *parts, axis=2), perm=[0, 2, 1], name="output")
    return g.model([image(HW, "input")], [tensor("output", [1, 3 * anchors(HW), 16])])


def efficient_nms() -> onnx.ModelProto:
    """num_dets, det_boxes (corners in pixels), det_scores, det_classes."""
    g = Graph(28)
    rows = g.features("images", (16,), 4 + CLASSES)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([32.0]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([30.0]))
    g.add("Transpose", g.add("Concat", xy, g.add("Add", xy, wh), axis=1), perm=[0, 2, 1], name="det_boxes")
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=0, name="det_scores")
    g.add("Cast", g.add("ArgMax", scores, axis=1, keepdims=0), to=TensorProto.INT32, name="det_classes")
    shape = g.add("Shape", best)
    g.add("Cast", g.slice(shape, 1, 2, 0), to=TensorProto.INT32, name="num_dets")
    return g.model(
        [image(HW)],
        [
            tensor("num_dets", [1], TensorProto.INT32),
            tensor("det_boxes", [1, 16, 4]),
            tensor("det_scores", [1, 16]),
            tensor("det_classes", [1, 16], TensorProto.INT32),
        ],
    )


def seven_columns(*, nas: bool = False) -> onnx.ModelProto:
    """[N, 7]: batch, corners in pixels, then class, score (YOLOv7) or score, class (YOLO-NAS)."""
    g = Graph(29)
    rows = g.features("images", (16,), 4 + CLASSES)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([32.0]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([30.0]))
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", scores, axis=1), to=TensorProto.FLOAT)
    batch = g.add("Mul", best, g.constant([0.0]))
    last = (best, label) if nas else (label, best)
    table = g.add("Transpose", g.add("Concat", batch, xy, g.add("Add", xy, wh), *last, axis=1), perm=[0, 2, 1])
    g.add("Squeeze", table, g.constant([0], np.int64), name="output")
    return g.model([image(HW)], [tensor("output", [16, 7])])


def paddle(*, rtdetr: bool = True) -> onnx.ModelProto:
    """[N, 6] of class, score, corners in pixels of the picture whose size and scale are inputs."""
    g = Graph(30)
    rows = g.features("image", (16,), 4 + CLASSES)
    factor = g.add("Slice", "scale_factor", *(g.constant([at], np.int64) for at in (0, 1, 1)))
    xy = g.add("Div", g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([32.0])), factor)
    wh = g.add("Div", g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([30.0])), factor)
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", scores, axis=1), to=TensorProto.FLOAT)
    table = g.add("Transpose", g.add("Concat", label, best, xy, g.add("Add", xy, wh), axis=1), perm=[0, 2, 1])
    g.add("Squeeze", table, g.constant([0], np.int64), name="boxes.tmp_0")
    g.add("Cast", g.slice(g.add("Shape", "boxes.tmp_0"), 0, 1, 0), to=TensorProto.INT32, name="count.tmp_0")
    inputs = [image(HW, "image"), tensor("scale_factor", [1, 2])]
    if rtdetr:
        inputs.insert(1, tensor("im_shape", [1, 2]))
    return g.model(inputs, [tensor("boxes.tmp_0", [16, 6]), tensor("count.tmp_0", [1], TensorProto.INT32)])


def mmdeploy() -> onnx.ModelProto:
    """dets [1, N, 5] of corners in pixels and score, labels [1, N]."""
    g = Graph(31)
    rows = g.features("input", (16,), 4 + CLASSES)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([32.0]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([30.0]))
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    g.add("Transpose", g.add("Concat", xy, g.add("Add", xy, wh), best, axis=1), perm=[0, 2, 1], name="dets")
    g.add("ArgMax", scores, axis=1, keepdims=0, name="labels")
    outputs = [tensor("dets", [1, 16, 5]), tensor("labels", [1, 16], TensorProto.INT64)]
    return g.model([image(HW, "input")], outputs)


def numbers(count: int, *, end: str = "", name: str = "out", reach: float = 1.0) -> onnx.ModelProto:
    """[1, count]: bare numbers, or ended by ``Sigmoid``, ``Softmax`` or ``LpNormalization``."""
    g = Graph(32, reach)
    flat = g.add("ReduceMean", g.features("input", (32,), count, scale=3.0), axes=[2], keepdims=0)
    options: dict[str, Any] = {"axis": 1} if end in {"Softmax", "LpNormalization"} else {}
    g.add(end or "Identity", flat, name=name, **options)
    return g.model([image(HW, "input")], [tensor(name, [1, count])])


def pair(scores: int, rows: int, names: tuple[str, str] = ("boxes_out", "scores_out")) -> onnx.ModelProto:
    """[1, rows, 4] and [1, rows, scores]: dense boxes in pixels and scores apart (YOLO-NAS raw, RetinaFace)."""
    g = Graph(33)
    table = g.features("input", (8, 16, 32), 4 + scores)
    boxes = g.add("Transpose", g.on_grid(table, HW, (8, 16, 32)), perm=[0, 2, 1])
    values = g.add("Transpose", g.add("Sigmoid", g.slice(table, 4, 4 + scores, 1)), perm=[0, 2, 1])
    repeat = -(-rows // anchors(HW))
    for name, tensor_name in zip(names, (boxes, values), strict=True):
        many = g.add("Concat", *[tensor_name] * repeat, axis=1) if repeat > 1 else tensor_name
        g.add(
            "Slice", many, g.constant([0], np.int64), g.constant([rows], np.int64), g.constant([1], np.int64), name=name
        )
    return g.model([image(HW, "input")], [tensor(names[0], [1, rows, 4]), tensor(names[1], [1, rows, scores])])


def hugging_face(*, columns: int = CLASSES + 1, logits: str = "logits", corners: float = 0.0) -> onnx.ModelProto:
    """logits [1, Q, columns] and pred_boxes [1, Q, 4] of centre and size in 0..1; ``corners``: corners times it.

    D-FINE and DEIM without their postprocessor call the first ``pred_logits``.
    """
    g = Graph(35)
    rows = g.features("pixel_values", (16,), 4 + columns)
    g.add("Transpose", g.slice(rows, 4, 4 + columns, 1), perm=[0, 2, 1], name=logits)
    boxes = g.add("Sigmoid", g.slice(rows, 0, 4, 1))
    if corners:
        half = g.add("Mul", boxes, g.constant([0.5]))
        low, size = g.slice(half, 0, 2, 1), g.slice(half, 2, 4, 1)
        boxes = g.add("Mul", g.add("Concat", low, g.add("Add", low, size), axis=1), g.constant([corners]))
    g.add("Transpose", boxes, perm=[0, 2, 1], name="pred_boxes")
    outputs = [tensor(logits, [1, 16, columns]), tensor("pred_boxes", [1, 16, 4])]
    return g.model([image(HW, "pixel_values")], outputs)


def names_in_json(model: onnx.ModelProto, *, first: int = 0, count: int = CLASSES) -> onnx.ModelProto:
    """Class names as JSON can write them: the keys are text."""
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", json.dumps({str(first + index): f"n{index}" for index in range(count)})
    return model


def pose(*, points: int = 5, dims: int = 3, finished: bool = False) -> onnx.ModelProto:
    """Ultralytics' pose head, raw or chosen in the graph, with its metadata."""
    g = Graph(36)
    extra = points * dims
    strides = (16,) if finished else (8, 16, 32)
    rows = g.features("images", strides, 4 + CLASSES + extra)
    boxes = g.on_grid(rows, HW, strides)
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    spread = np.tile([64.0, 64.0, 1.0][:dims], points).reshape(1, -1, 1)
    marks = g.add("Mul", g.add("Sigmoid", g.slice(rows, 4 + CLASSES, 4 + CLASSES + extra, 1)), g.constant(spread))
    metadata = ultralytics_metadata(task="pose", kpt_shape=str([points, dims]))
    if not finished:
        g.add("Concat", boxes, scores, marks, axis=1, name="output0")
        shape = [1, 4 + CLASSES + extra, anchors(HW)]
        return g.model([image(HW)], [tensor("output0", shape)], metadata=metadata)
    half = g.add("Mul", g.slice(boxes, 2, 4, 1), g.constant([0.5]))
    low, high = (g.add(sign, g.slice(boxes, 0, 2, 1), half) for sign in ("Sub", "Add"))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", scores, axis=1), to=TensorProto.FLOAT)
    table = g.add("Concat", low, high, best, label, marks, axis=1)
    g.add("Transpose", table, perm=[0, 2, 1], name="output0")
    return g.model([image(HW)], [tensor("output0", [1, 16, 6 + extra])], metadata=metadata)


def oriented(*, finished: bool = False) -> onnx.ModelProto:
    """Ultralytics' head of oriented boxes, raw or chosen in the graph, with its metadata."""
    g = Graph(38)
    strides = (16,) if finished else (8, 16, 32)
    rows = g.features("images", strides, 4 + CLASSES + 1)
    boxes = g.on_grid(rows, HW, strides)
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    share = g.add("Sub", g.add("Sigmoid", g.slice(rows, 4 + CLASSES, 5 + CLASSES, 1)), g.constant([0.25]))
    angle = g.add("Mul", share, g.constant([np.pi]))
    metadata = ultralytics_metadata(task="obb")
    if not finished:
        g.add("Concat", boxes, scores, angle, axis=1, name="output0")
        return g.model([image(HW)], [tensor("output0", [1, 5 + CLASSES, anchors(HW)])], metadata=metadata)
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", scores, axis=1), to=TensorProto.FLOAT)
    g.add("Transpose", g.add("Concat", boxes, best, label, angle, axis=1), perm=[0, 2, 1], name="output0")
    return g.model([image(HW)], [tensor("output0", [1, 16, 7])], metadata=metadata)


def segment(*, kinds: int = 4, finished: bool = False) -> onnx.ModelProto:
    """Ultralytics' segmentation head with its prototypes at a quarter of the size."""
    g = Graph(37)
    strides = (16,) if finished else (8, 16, 32)
    rows = g.features("images", strides, 4 + CLASSES + kinds)
    boxes = g.on_grid(rows, HW, strides)
    scores = g.add("Sigmoid", g.slice(rows, 4, 4 + CLASSES, 1))
    mix = g.slice(rows, 4 + CLASSES, 4 + CLASSES + kinds, 1)
    drawn = g.features("images", (4,), kinds)
    g.add("Reshape", drawn, g.constant([1, kinds, 16, 16], np.int64), name="output1")
    prototypes = tensor("output1", [1, kinds, 16, 16])
    metadata = ultralytics_metadata(task="segment")
    if not finished:
        g.add("Concat", boxes, scores, mix, axis=1, name="output0")
        shape = [1, 4 + CLASSES + kinds, anchors(HW)]
        return g.model([image(HW)], [tensor("output0", shape), prototypes], metadata=metadata)
    half = g.add("Mul", g.slice(boxes, 2, 4, 1), g.constant([0.5]))
    low, high = (g.add(sign, g.slice(boxes, 0, 2, 1), half) for sign in ("Sub", "Add"))
    best = g.add("ReduceMax", scores, axes=[1], keepdims=1)
    label = g.add("Cast", g.add("ArgMax", scores, axis=1), to=TensorProto.FLOAT)
    table = g.add("Concat", low, high, best, label, mix, axis=1)
    g.add("Transpose", table, perm=[0, 2, 1], name="output0")
    return g.model([image(HW)], [tensor("output0", [1, 16, 6 + kinds]), prototypes], metadata=metadata)


def retinaface(
    *, softmax: bool = True, boxes: str = "offsets", landmarks: bool = True, reach: float = 255.0
) -> onnx.ModelProto:
    """Offsets from two priors per cell of strides 8, 16, 32; ``boxes``: or corners as shares of the sides."""
    g = Graph(35, reach)
    parts: dict[int, list[str]] = {2: [], 4: [], 10: []}
    for stride in (8, 16, 32):
        level = g.features("input0", (stride,), 32)
        for width, start in ((2, 0), (4, 4), (10, 12)):
            split = g.add("Reshape", g.slice(level, start, start + 2 * width, 1), g.constant([2, width, -1], np.int64))
            turned = g.add("Transpose", split, perm=[2, 0, 1])
            parts[width].append(g.add("Reshape", turned, g.constant([1, -1, width], np.int64)))
    count = 2 * anchors(HW)
    scores = g.add("Concat", *parts[2], axis=1)
    g.add("Softmax" if softmax else "Identity", scores, name="confidence", **({"axis": 2} if softmax else {}))
    offsets = g.add("Concat", *parts[4], axis=1)
    if boxes == "offsets":
        g.add("Identity", offsets, name="bbox")
    else:
        priors = priors_xywh(HW)[:, :2] / np.array([HW[1], HW[0]], np.float32)
        grid = np.concatenate((priors, priors), axis=1)[None]
        size = g.add("Mul", g.add("Sigmoid", offsets), g.constant(np.array([-0.1, -0.1, 0.1, 0.1]).reshape(1, 1, 4)))
        g.add("Add", size, g.constant(grid), name="bbox")
    outputs = [tensor("bbox", [1, count, 4]), tensor("confidence", [1, count, 2])]
    if landmarks:
        g.add("Concat", *parts[10], axis=1, name="landmark")
        outputs.append(tensor("landmark", [1, count, 10]))
    return g.model([image(HW, "input0")], outputs)


def outputs_of(**shapes: tuple[int, ...]) -> onnx.ModelProto:
    """Any outputs, by name, of numbers that depend on the picture: for networks that only their outside makes known."""
    g = Graph(37)
    flat = g.features("input", (8,), 64)
    made = []
    for name, shape in shapes.items():
        count = int(np.prod(shape))
        repeat = -(-count // (64 * anchors(HW, (8,))))
        many = g.add("Concat", *[flat] * repeat, axis=1) if repeat > 1 else flat
        cut = g.slice(g.add("Reshape", many, g.constant([-1], np.int64)), 0, count, 0)
        g.add("Reshape", cut, g.constant(shape, np.int64), name=name)
        made.append(tensor(name, shape))
    return g.model([image(HW, "input")], made)
