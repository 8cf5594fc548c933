"""Real tiny ONNX graphs, one per family: a pooled picture through random 1x1 convolutions into the family's outputs.

They see the picture (another picture gives other outputs), run in microseconds and have the exact outside of the
exports they stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vigie.models.card import Card
from vigie.vision.decoders.ultraface import prior_count

CLASSES = 3
NAMES = ("bolt", "nut", "washer")


class Graph:
    """Nodes in the order they are added; names are made up."""

    def __init__(self, seed: int = 5, reach: float = 1.0) -> None:
        self.reach = reach
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(seed)

    def add(self, operator: str, *inputs: str, name: str | None = None, outputs: int = 1, **attributes: Any) -> Any:
        names = [name or f"t{len(self.nodes)}"] if outputs == 1 else [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), f"w{len(self.weights)}"))
        return self.weights[-1].name

    def slice(self, tensor: str, start: int, end: int, axis: int) -> str:
        bounds = [self.constant([value], np.int64) for value in (start, end, axis)]
        return str(self.add("Slice", tensor, *bounds))

    def stem(self, image: str) -> str:
        """A first layer as training leaves it: its weights suit pixels up to ``reach``."""
        mixed = np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.1, 0.0, 0.9]]).reshape(3, 3, 1, 1)
        return str(self.add("Conv", image, self.constant(mixed / self.reach)))

    def features(self, image: str, strides: tuple[int, ...], channels: int, scale: float = 1.0) -> str:
        """(1, channels, cells over all strides), centred on 0 whatever the input's range is."""
        parts = []
        image = self.stem(image)
        mean = self.add("ReduceMean", image, axes=[1, 2, 3], keepdims=1)
        spread = self.add("Add", self.add("ReduceMax", self.add("Abs", image), keepdims=1), self.constant([1e-3]))
        level = self.add("Div", self.add("Sub", image, mean), spread)
        for stride in strides:
            pooled = self.add("AveragePool", level, kernel_shape=[stride] * 2, strides=[stride] * 2, ceil_mode=1)
            kernel = self.constant(self.rng.normal(0, 4 * scale, (channels, 3, 1, 1)))
            bias = self.constant(self.rng.normal(0, 0.5 * scale, channels))
            drawn = self.add("Conv", pooled, kernel, bias)
            parts.append(self.add("Reshape", drawn, self.constant([1, channels, -1], np.int64)))
        return str(self.add("Concat", *parts, axis=2))

    def priors(self, image: str, hw: tuple[int, int]) -> str:
        """(1, 6, A) with UltraFace's rows: three, two, two and three boxes per cell at strides 8 to 64."""
        parts = []
        for stride, boxes in ((8, 3), (16, 2), (32, 2), (64, 3)):
            level = self.features(image, (stride,), 6 * boxes)
            split = self.add("Reshape", level, self.constant([6, boxes, -1], np.int64))
            turned = self.add("Transpose", split, perm=[0, 2, 1])
            parts.append(self.add("Reshape", turned, self.constant([1, 6, -1], np.int64)))
        return str(self.add("Concat", *parts, axis=2))

    def on_grid(self, rows: str, hw: tuple[int, int], strides: tuple[int, ...]) -> str:
        """(1, 4, A) centre and size in pixels, about each cell, of the first four channels."""
        grid, sizes = _grid(hw, strides)
        moved = self.add("Sigmoid", self.slice(rows, 0, 2, 1))
        xy = self.add("Mul", self.add("Add", moved, self.constant(grid)), self.constant(sizes))
        wh = self.add("Mul", self.add("Sigmoid", self.slice(rows, 2, 4, 1)), self.constant([32.0]))
        return str(self.add("Concat", xy, wh, axis=1))

    def model(
        self,
        inputs: list[Any],
        outputs: list[Any],
        *,
        opset: int = 17,
        metadata: dict[str, str] | None = None,
    ) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "tiny", inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        model.producer_name = "tests"
        if metadata:
            helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model


def tensor(name: str, shape: Any, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def image(hw: tuple[int, int], name: str = "images") -> onnx.ValueInfoProto:
    return tensor(name, [1, 3, *hw])


def anchors(hw: tuple[int, int], strides: tuple[int, ...] = (8, 16, 32)) -> int:
    return sum(-(-hw[0] // stride) * -(-hw[1] // stride) for stride in strides)


def yolox(
    hw: tuple[int, int] = (64, 96), classes: int = CLASSES, *, decoded: bool = False, reach: float = 255.0
) -> onnx.ModelProto:
    g = Graph(reach=reach)
    rows = g.features("images", (8, 16, 32), 5 + classes)
    middle = np.array([0.5, 0.5, 0.0, 0.0]).reshape(1, 4, 1)  # of its cell, as training puts it
    boxes = g.add("Add", g.add("Mul", g.slice(rows, 0, 4, 1), g.constant([0.3])), g.constant(middle))
    scores = g.add("Sigmoid", g.slice(rows, 4, 5 + classes, 1))
    if decoded:
        grid, strides = _grid(hw, (8, 16, 32))
        xy = g.add("Mul", g.add("Add", g.slice(boxes, 0, 2, 1), g.constant(grid)), g.constant(strides))
        wh = g.add("Mul", g.add("Exp", g.slice(boxes, 2, 4, 1)), g.constant(strides))
        boxes = g.add("Concat", xy, wh, axis=1)
    g.add("Transpose", g.add("Concat", boxes, scores, axis=1), perm=[0, 2, 1], name="output")
    return g.model([image(hw)], [tensor("output", [1, anchors(hw), 5 + classes])])


def burdened(model: onnx.ModelProto, layers: int = 4, channels: int = 48) -> onnx.ModelProto:
    """The same answers, after much work that is of no use: convolutions over the whole picture, times zero."""
    graph = Graph(9)
    for number in range(layers):
        taken = 3 if number == 0 else channels
        kernel = graph.constant(graph.rng.normal(0, 0.01, (channels, taken, 3, 3)))
        before = "images" if number == 0 else f"burden{number - 1}"
        graph.add("Conv", before, kernel, pads=[1, 1, 1, 1], name=f"burden{number}")
    mean = graph.add("ReduceMean", f"burden{layers - 1}", keepdims=0, name="burden_mean")
    nothing = graph.add("Mul", mean, graph.constant([0.0]), name="burden_nothing")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    output = made.graph.output[0].name
    for node in made.graph.node:
        node.output[:] = [f"{output}_bare" if name == output else name for name in node.output]
    for weight in graph.weights:
        weight.name = f"burden_{weight.name}"
    for node in graph.nodes:
        node.input[:] = [f"burden_{name}" if name.startswith("w") else name for name in node.input]
    made.graph.node.extend(graph.nodes)
    made.graph.initializer.extend(graph.weights)
    made.graph.node.append(helper.make_node("Add", [f"{output}_bare", nothing], [output]))
    onnx.checker.check_model(made)
    return made


def yolov5(hw: tuple[int, int] = (64, 64), *, metadata: bool = True) -> onnx.ModelProto:
    g = Graph(6)
    parts = []
    for stride in (8, 8, 8, 16, 16, 16, 32, 32, 32):  # an anchor after the other, level by level
        rows = g.features("images", (stride,), 5 + CLASSES)
        boxes = g.on_grid(rows, hw, (stride,))
        parts.append(g.add("Concat", boxes, g.add("Sigmoid", g.slice(rows, 4, 5 + CLASSES, 1)), axis=1))
    g.add("Transpose", g.add("Concat", *parts, axis=2), perm=[0, 2, 1], name="output0")
    told = {"stride": "32", "names": str(dict(enumerate(NAMES)))} if metadata else None
    return g.model([image(hw)], [tensor("output0", [1, 3 * anchors(hw), 5 + CLASSES])], metadata=told)


def yolov8(
    hw: tuple[int, int] | None = (64, 64), classes: int = CLASSES, metadata: dict[str, str] | None = None
) -> onnx.ModelProto:
    """``hw`` None: an open input, as Ultralytics writes it with ``dynamic=True``."""
    g = Graph(7)
    rows = g.features("images", (8, 16, 32), 4 + classes)
    boxes = g.on_grid(rows, hw or (64, 64), (8, 16, 32))
    g.add("Concat", boxes, g.add("Sigmoid", g.slice(rows, 4, 4 + classes, 1)), axis=1, name="output0")
    if hw is None:
        sides: list[Any] = ["batch", 3, "height", "width"]
        return g.model(
            [tensor("images", sides)], [tensor("output0", ["batch", 4 + classes, "anchors"])], metadata=metadata
        )
    return g.model([image(hw)], [tensor("output0", [1, 4 + classes, anchors(hw)])], metadata=metadata)


def ultralytics_metadata(**changes: str) -> dict[str, str]:
    return {
        "task": "detect",
        "names": str(dict(enumerate(NAMES))),
        "stride": "32",
        "imgsz": "[64, 64]",
        "license": "AGPL-3.0",
        **changes,
    }


def end2end(hw: tuple[int, int] = (64, 64), metadata: dict[str, str] | None = None) -> onnx.ModelProto:
    g = Graph(8)
    rows = g.features("images", (8, 16, 32), 7)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([40.0]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([24.0]))
    score = g.add("Sigmoid", g.slice(rows, 4, 5, 1))
    label = g.add("Cast", g.add("ArgMax", g.slice(rows, 4, 7, 1), axis=1), to=TensorProto.FLOAT)
    finished = g.add("Concat", xy, g.add("Add", xy, wh), score, label, axis=1)
    top = g.add("TopK", score, g.constant([20], np.int64), axis=2, outputs=2)
    indices = g.add("Squeeze", top[1], g.constant([0, 1], np.int64))
    g.add("Transpose", g.add("Gather", finished, indices, axis=2), perm=[0, 2, 1], name="output0")
    return g.model([image(hw)], [tensor("output0", [1, 20, 6])], metadata=metadata)


def detection_output(hw: tuple[int, int] = (64, 64)) -> onnx.ModelProto:
    g = Graph(9, reach=255.0)
    rows = g.features("data", (16,), 8)
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([0.5]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([0.5]))
    score = g.add("Sigmoid", g.slice(rows, 4, 5, 1))
    label = g.add("Cast", g.add("ArgMax", g.slice(rows, 5, 8, 1), axis=1), to=TensorProto.FLOAT)
    label = g.add("Add", label, g.constant([1.0]))  # 0 is the background, which is not written
    number = g.constant(np.array([[[0] * 12 + [-1] * 4]]))
    table = g.add("Concat", number, label, score, xy, g.add("Add", xy, wh), axis=1)
    turned = g.add("Transpose", table, perm=[0, 2, 1])
    g.add("Unsqueeze", turned, g.constant([0], np.int64), name="detection_out")
    return g.model([image(hw, "data")], [tensor("detection_out", [1, 1, 16, 7])])


def tensorflow_ssd(hw: tuple[int, int] = (64, 64)) -> onnx.ModelProto:
    g = Graph(10, reach=255.0)
    planes = g.add("Transpose", g.add("Cast", "input_tensor", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    rows = g.features(planes, (16,), 8)
    yx = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([0.5]))
    hw_part = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([0.5]))
    both = g.add("Concat", yx, g.add("Add", yx, hw_part), axis=1)
    score = g.add("Squeeze", g.add("Sigmoid", g.slice(rows, 4, 5, 1)), g.constant([1], np.int64))
    label = g.add("Squeeze", g.add("ArgMax", g.slice(rows, 5, 8, 1), axis=1), g.constant([1], np.int64))
    shifted = g.add("Add", g.add("Cast", label, to=TensorProto.FLOAT), g.constant([1.0]))
    g.add("Identity", score, name="detection_scores")
    g.add("Identity", shifted, name="detection_classes")
    g.add("Transpose", both, perm=[0, 2, 1], name="detection_boxes")
    g.add("ReduceMax", score, keepdims=0, axes=[1], name="num_detections")
    return g.model(
        [tensor("input_tensor", [1, *hw, 3], TensorProto.UINT8)],
        [
            tensor("num_detections", [1]),
            tensor("detection_scores", [1, 16]),
            tensor("detection_boxes", [1, 16, 4]),
            tensor("detection_classes", [1, 16]),
        ],
    )


def torchvision_ssd(hw: tuple[int, int] = (64, 64), *, grey: bool = False) -> onnx.ModelProto:
    """As many rows as the picture has: cut by Compress where the score is low. ``grey``: means of SSDlite."""
    g = Graph(11)
    shares = ([0.5] * 3, [0.5] * 3) if grey else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    means, spread = (g.constant(np.reshape(part, (3, 1, 1))) for part in shares)
    normalised = g.add("Div", g.add("Sub", "image", means), spread)
    rows = g.features(g.add("Unsqueeze", normalised, g.constant([0], np.int64)), (8,), 8)
    flat = g.add("Squeeze", rows, g.constant([0], np.int64))
    xy = g.add("Mul", g.add("Sigmoid", g.slice(flat, 0, 2, 0)), g.constant([40.0]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(flat, 2, 4, 0)), g.constant([24.0]))
    boxes = g.add("Transpose", g.add("Concat", xy, g.add("Add", xy, wh), axis=0), perm=[1, 0])
    score = g.add("Squeeze", g.add("Sigmoid", g.slice(flat, 4, 5, 0)), g.constant([0], np.int64))
    label = g.add("Squeeze", g.add("ArgMax", g.slice(flat, 5, 8, 0), axis=0), g.constant([0], np.int64))
    strong = g.add("Greater", score, g.constant(0.55))
    g.add("Compress", boxes, strong, axis=0, name="boxes")
    g.add("Compress", g.add("Add", label, g.constant([1], np.int64)), strong, axis=0, name="labels")
    g.add("Compress", score, strong, axis=0, name="scores")
    return g.model(
        [tensor("image", [3, *hw])],
        [tensor("boxes", ["n", 4]), tensor("labels", ["n"], TensorProto.INT64), tensor("scores", ["n"])],
    )


def ultraface(hw: tuple[int, int] = (48, 64)) -> onnx.ModelProto:
    g = Graph(12)
    rows = g.priors("input", hw)
    g.add("Softmax", g.add("Transpose", g.slice(rows, 0, 2, 1), perm=[0, 2, 1]), axis=2, name="scores")
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([0.5]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 4, 6, 1)), g.constant([0.5]))
    g.add("Transpose", g.add("Concat", xy, g.add("Add", xy, wh), axis=1), perm=[0, 2, 1], name="boxes")
    count = prior_count(hw)
    return g.model([image(hw, "input")], [tensor("scores", [1, count, 2]), tensor("boxes", [1, count, 4])])


def yunet(hw: tuple[int, int] = (64, 96)) -> onnx.ModelProto:
    g = Graph(6, reach=255.0)
    rows = g.add("Transpose", g.features("input", (8, 16, 32), 16, scale=0.3), perm=[0, 2, 1])
    outputs, start = [], 0
    for stride in (8, 16, 32):
        count = anchors(hw, (stride,))
        level = g.slice(rows, start, start + count, 1)
        start += count
        for part, first, last in (("cls", 0, 1), ("obj", 1, 2), ("bbox", 2, 6), ("kps", 6, 16)):
            values = g.slice(level, first, last, 2)
            name = f"{part}_{stride}"
            g.add("Sigmoid" if part in {"cls", "obj"} else "Identity", values, name=name)
            outputs.append(tensor(name, [1, count, last - first]))
    outputs.sort(key=lambda item: ("cls", "obj", "bbox", "kps").index(item.name.split("_")[0]))
    return g.model([image(hw, "input")], outputs)


def nanodet(hw: tuple[int, int] = (96, 96), classes: int = CLASSES) -> onnx.ModelProto:
    g = Graph(13)
    rows = g.features("data", (8, 16, 32, 64), classes + 32, scale=2.0)
    scores = g.add("Sigmoid", g.slice(rows, 0, classes, 1))
    joined = g.add("Concat", scores, g.slice(rows, classes, classes + 32, 1), axis=1)
    g.add("Transpose", joined, perm=[0, 2, 1], name="output")
    count = anchors(hw, (8, 16, 32, 64))
    return g.model([image(hw, "data")], [tensor("output", [1, count, classes + 32])])


def rtdetr(hw: tuple[int, int] = (64, 64)) -> onnx.ModelProto:
    g = Graph(14)
    rows = g.features("images", (16,), 8)
    size = g.add("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
    scale = g.add("Unsqueeze", g.add("Concat", size, size, axis=1), g.constant([2], np.int64))
    xy = g.add("Mul", g.add("Sigmoid", g.slice(rows, 0, 2, 1)), g.constant([0.5]))
    wh = g.add("Mul", g.add("Sigmoid", g.slice(rows, 2, 4, 1)), g.constant([0.5]))
    pixels = g.add("Mul", g.add("Concat", xy, g.add("Add", xy, wh), axis=1), scale)
    g.add("Transpose", pixels, perm=[0, 2, 1], name="boxes")
    g.add("Squeeze", g.add("ArgMax", g.slice(rows, 5, 8, 1), axis=1), g.constant([1], np.int64), name="labels")
    score = g.add("Sigmoid", g.slice(rows, 4, 5, 1))
    g.add("Squeeze", score, g.constant([1], np.int64), name="scores")
    return g.model(
        [image(hw), tensor("orig_target_sizes", [1, 2], TensorProto.INT64)],
        [tensor("labels", [1, 16], TensorProto.INT64), tensor("boxes", [1, 16, 4]), tensor("scores", [1, 16])],
    )


def rfdetr(hw: tuple[int, int] = (64, 64)) -> onnx.ModelProto:
    g = Graph(15)
    rows = g.features("input", (16,), 4 + 1 + CLASSES)
    boxes = g.add("Sigmoid", g.slice(rows, 0, 4, 1))
    g.add("Transpose", boxes, perm=[0, 2, 1], name="dets")
    g.add("Transpose", g.slice(rows, 4, 5 + CLASSES, 1), perm=[0, 2, 1], name="labels")
    return g.model([image(hw, "input")], [tensor("dets", [1, 16, 4]), tensor("labels", [1, 16, 1 + CLASSES])])


def rtdetr_ultralytics(hw: tuple[int, int] = (64, 64)) -> onnx.ModelProto:
    g = Graph(16)
    rows = g.features("images", (16,), 4 + CLASSES)
    g.add("Transpose", g.add("Sigmoid", rows), perm=[0, 2, 1], name="output0")
    return g.model([image(hw)], [tensor("output0", [1, 16, 4 + CLASSES])], metadata=ultralytics_metadata(stride="32"))


def classifier(hw: tuple[int, int] = (32, 32), classes: int = 5, *, softmax: bool = False) -> onnx.ModelProto:
    g = Graph(17)
    rows = g.features("input", (32,), classes, scale=3.0)
    flat = g.add("ReduceMean", rows, axes=[2], keepdims=0, name=None if softmax else "logits")
    if softmax:
        g.add("Softmax", flat, axis=1, name="logits")
    return g.model([image(hw, "input")], [tensor("logits", [1, classes])])


def save(model: onnx.ModelProto, folder: Path, name: str = "tiny.onnx") -> Path:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def make_card(
    family: str,
    shapes: list[tuple[int, ...]],
    *,
    hw: tuple[int, int] = (64, 64),
    classes: int = CLASSES,
    params: dict[str, Any] | None = None,
) -> Card:
    """A card that promises these outputs, with no files behind it."""
    import msgspec

    return msgspec.convert(
        {
            "schema": "vigie.card/1",
            "name": f"tiny-{family}",
            "task": "detection",
            "input": {"name": "image_bgr", "height": hw[0], "width": hw[1], "align": "centre"},
            "outputs": [{"name": f"o{index}", "shape": shape} for index, shape in enumerate(shapes)],
            "decoder": {"family": family, "params": params or {}},
            "labels": [f"c{index}" for index in range(classes)],
            "variants": {"fp32": {"file": "fp32.onnx", "sha256": "0" * 64, "precision": "fp32", "opset": 17}},
        },
        Card,
    )


def _grid(hw: tuple[int, int], strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    points, sizes = [], []
    for stride in strides:
        for row in range(-(-hw[0] // stride)):
            for column in range(-(-hw[1] // stride)):
                points.append((column, row))
                sizes.append(stride)
    return np.array(points, np.float32).T[None], np.array(sizes, np.float32)[None, None]
