"""Small networks that really tell things apart: a classifier fitted in closed form, a face-like detector by design.

No training framework: the classifier's last layer is a ridge regression over fixed random convolutions, which is a
network like any other to whoever quantizes it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx

from support.models import Graph, image, tensor

SHAPES = ("disc", "square", "cross", "blank-ring")
HW = (64, 64)


def shape_picture(rng: np.random.Generator, label: str, hw: tuple[int, int] = HW) -> np.ndarray:
    """A bright shape on a dark, noisy ground, at a random place and size."""
    picture = rng.integers(0, 60, (*hw, 3), np.uint8)
    size = int(rng.integers(14, 22))
    cx, cy = (int(rng.integers(size, side - size)) for side in (hw[1], hw[0]))
    colour = tuple(int(value) for value in rng.integers(150, 256, 3))
    if label == "disc":
        cv2.circle(picture, (cx, cy), size - 4, colour, -1)
    elif label == "square":
        cv2.rectangle(picture, (cx - size + 5, cy - size + 5), (cx + size - 5, cy + size - 5), colour, -1)
    elif label == "cross":
        cv2.line(picture, (cx - size, cy), (cx + size, cy), colour, 4)
        cv2.line(picture, (cx, cy - size), (cx, cy + size), colour, 4)
    else:
        cv2.circle(picture, (cx, cy), size - 2, colour, 3)
    return picture


def write_class_folders(folder: Path, per_class: int, *, seed: int = 5) -> Path:
    rng = np.random.default_rng(seed)
    for label in SHAPES:
        (folder / label).mkdir(parents=True)
        for index in range(per_class):
            cv2.imwrite(str(folder / label / f"{index:03}.png"), shape_picture(rng, label))
    return folder


def shape_classifier() -> onnx.ModelProto:
    """(1, 3, 64, 64) -> logits of SHAPES: three random convolutions, mean, a fitted last layer."""
    return _with_fitted_head(*_feature_net())


def product_classifier() -> onnx.ModelProto:
    """The same from matrix products alone: patches of 16 x 16 pixels every 8, two random layers, mean, a fitted Gemm
    that transposes its weights, as PyTorch exports it.
    """
    g, rng = Graph(7), np.random.default_rng(7)
    rows = np.arange(0, HW[0] - 15, 8)
    offsets = [(y, x) for y in rows for x in rows]
    # (patches, 3 * 16 * 16) indices into the flat picture.
    plane = np.arange(3 * HW[0] * HW[1]).reshape(3, *HW)
    patches = np.stack([plane[:, y : y + 16, x : x + 16].reshape(-1) for y, x in offsets])
    flat = g.add("Reshape", "input", g.constant([-1], np.int64))
    value, width = g.add("Gather", flat, g.constant(patches, np.int64)), patches.shape[1]
    for size in (192, 128):
        kernel = rng.normal(0, (2.0 / width) ** 0.5, (width, size)).astype(np.float32)
        value, width = g.add("Relu", g.add("MatMul", value, g.constant(kernel))), size
    pooled = g.add("ReduceMean", value, axes=[0], keepdims=1, name="features")
    nodes = list(g.nodes)
    features = g.model([image(HW, "input")], [tensor(pooled, [1, width])])
    g.nodes = nodes
    return _with_fitted_head(g, features, turned=True)


def _with_fitted_head(g: Graph, features: onnx.ModelProto, *, turned: bool = False) -> onnx.ModelProto:
    """A ridge regression over what ``features`` gives; ``turned``: its matrix is stored (classes, features)."""
    names = [item.name for item in features.graph.output]
    from vigie.runtimes.engines.reference_run import run_reference

    rng = np.random.default_rng(11)
    rows, wanted = [], []
    content = features.SerializeToString()
    for index in range(240):
        label = index % len(SHAPES)
        picture = shape_picture(rng, SHAPES[label])
        feed = _fed(picture)
        rows.append(run_reference(content, {"input": feed}, name="features")[names[0]][0])
        wanted.append(label)
    x = np.array(rows, np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
    z = (x - mean) / std
    targets = 6.0 * np.eye(len(SHAPES))[wanted]
    weight = np.linalg.solve(z.T @ z + 3.0 * np.eye(z.shape[1]), z.T @ (targets - targets.mean(axis=0)))
    weight /= std[:, None]
    bias = targets.mean(axis=0) - mean @ weight
    matrix = weight.T if turned else weight
    g.add("Gemm", names[0], g.constant(matrix), g.constant(bias), name="logits", transB=int(turned))
    return g.model([image(HW, "input")], [tensor("logits", [1, len(SHAPES)])])


def _feature_net() -> tuple[Graph, onnx.ModelProto]:
    g, rng = Graph(3), np.random.default_rng(3)
    value, channels = "input", 3
    for width in (12, 24, 48):
        kernel = rng.normal(0, (2.0 / (channels * 9)) ** 0.5, (width, channels, 3, 3)).astype(np.float32)
        value = g.add("Relu", g.add("Conv", value, g.constant(kernel), pads=[1, 1, 1, 1], strides=[2, 2]))
        channels = width
    g.add("Flatten", g.add("GlobalAveragePool", value), name="features")
    nodes = list(g.nodes)
    model = g.model([image(HW, "input")], [tensor("features", [1, channels])])
    g.nodes = nodes
    return g, model


def _fed(picture_bgr: np.ndarray) -> np.ndarray:
    """As the importer assumes of a classifier: RGB, ImageNet's mean and deviation."""
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    return ((picture_bgr[..., ::-1] - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)


FACE_HW = (120, 160)


def face_picture(rng: np.random.Generator, count: int) -> np.ndarray:
    """``count`` bright ovals of a face's proportions on a dark ground, apart from each other."""
    height, width = FACE_HW
    picture = rng.integers(10, 50, (height, width, 3), np.uint8)
    for index in range(count):
        cx = int(width * (index + 0.5) / count) + int(rng.integers(-4, 5))
        cy = int(rng.integers(30, height - 30))
        cv2.ellipse(picture, (cx, cy), (11, 14), 0, 0, 360, (190, 200, 225), -1)
    return picture


def face_detector() -> onnx.ModelProto:
    """UltraFace's outputs (scores [1, A, 2], boxes [1, A, 4]) from depthwise and pointwise convolutions: brightness in
    the middle of a cell's surroundings against their rim.
    """
    g = Graph(21)
    rng = np.random.default_rng(21)
    height, width = FACE_HW
    luma = np.full((8, 3, 3, 3), 1 / 27, np.float32) * rng.uniform(0.5, 1.5, (8, 1, 1, 1))
    value = g.add(
        "Relu", g.add("Conv", "input", g.constant(luma), g.constant(np.ones(8)), pads=[1] * 4, strides=[2, 2])
    )
    for _ in range(2):
        depthwise = np.full((8, 1, 3, 3), 1 / 9, np.float32)
        value = g.add("Relu", g.add("Conv", value, g.constant(depthwise), pads=[1] * 4, strides=[2, 2], group=8))
        pointwise = np.eye(8, dtype=np.float32)[:, :, None, None] + rng.normal(0, 0.02, (8, 8, 1, 1))
        value = g.add("Relu", g.add("Conv", value, g.constant(pointwise)))
    rim = np.full((1, 8, 5, 5), -1.0)
    rim[:, :, 1:4, 1:4] = 0.0
    rim /= 16 * 8
    middle = np.zeros((1, 8, 5, 5))
    middle[:, :, 2, 2] = 1 / 8
    logit = g.add("Conv", value, g.constant(14.0 * (middle + rim)), g.constant([-7.0]), pads=[2] * 4)
    background = g.add("Mul", logit, g.constant([-1.0]))
    pair = g.add("Concat", background, logit, axis=1)
    cells = (height // 8) * (width // 8)
    flat = g.add("Transpose", g.add("Reshape", pair, g.constant([1, 2, -1], np.int64)), perm=[0, 2, 1])
    g.add("Softmax", flat, axis=2, name="scores")
    y, x = np.mgrid[0 : height // 8, 0 : width // 8]
    centres = np.stack([(x + 0.5) * 8 / width, (y + 0.5) * 8 / height], axis=-1).reshape(1, cells, 2)
    half = np.array([11 / width, 14 / height])
    prior = np.concatenate([centres - half, centres + half], axis=-1)
    drift = g.add("Conv", value, g.constant(rng.normal(0, 0.0005, (4, 8, 1, 1))))
    moved = g.add("Transpose", g.add("Reshape", drift, g.constant([1, 4, -1], np.int64)), perm=[0, 2, 1])
    g.add("Add", moved, g.constant(prior), name="boxes")
    return g.model([image(FACE_HW, "input")], [tensor("scores", [1, cells, 2]), tensor("boxes", [1, cells, 4])])
