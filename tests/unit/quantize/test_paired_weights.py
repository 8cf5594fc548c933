"""Weights whose neighbours cannot overflow 16 bits together, and what that costs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from support.models import Graph, tensor
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.paired_weights import PAIR_MAX, paired_convolutions, rounded
from vigie_devkit.quantize.qdq import file_bytes, write_qdq
from vigie_devkit.quantize.ranges import open_session
from vigie_devkit.quantize.recipes import U8S8_PAIRED

SHAPES = [(8, 16, 3, 3), (5, 3, 3, 3), (4, 1, 3, 3), (7, 64, 1, 1), (6, 5, 1, 1), (4, 7, 5)]


def filters(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


def neighbours(integers: np.ndarray) -> np.ndarray:
    """(N, 2): what the kernels add in 16 bits, channels first within each place; and within each place alone."""
    walked = np.moveaxis(integers, 1, -1).astype(np.int64)
    rows = walked.reshape(len(walked), -1)
    found = [rows[:, : rows.shape[1] // 2 * 2].reshape(-1, 2)]
    channels = walked.shape[-1]
    if channels > 1:
        found.append(walked[..., : channels // 2 * 2].reshape(-1, 2))
    return np.concatenate(found)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("alike", [False, True], ids=["random", "all-alike"])
def test_no_pair_of_products_leaves_16_bits(shape: tuple[int, ...], alike: bool) -> None:
    weight = np.full(shape, -0.7, np.float32) if alike else filters(shape)
    integers, scales = rounded(weight)
    pairs = neighbours(integers)
    assert np.maximum(pairs, 0).sum(axis=1).max() * 255 <= 32767
    assert np.minimum(pairs, 0).sum(axis=1).min() * 255 >= -32768
    assert integers.shape == shape
    assert scales.shape == shape[:1]
    assert (scales > 0).all()


def test_they_come_closer_than_seven_bits() -> None:
    weight = filters((32, 64, 3, 3))
    integers, scales = rounded(weight)
    column = (-1, 1, 1, 1)
    lost = np.square(integers * scales.reshape(column) - weight).sum()
    seven = np.abs(weight).max(axis=(1, 2, 3)).reshape(column) / 63
    assert lost < 0.6 * np.square(np.rint(weight / seven) * seven - weight).sum()


def test_a_filter_of_zeros_stays_one() -> None:
    integers, scales = rounded(np.zeros((3, 4, 3, 3), np.float32))
    assert not integers.any()
    assert np.isfinite(scales).all()


def convolution(weight: np.ndarray) -> Network:
    """A convolution without padding on (1, channels, 9, 9)."""
    g = Graph(1)
    side = 9 - weight.shape[2] + 1
    g.add("Conv", "input", g.constant(weight), name="output")
    shape = [1, len(weight), side, side]
    model = g.model([tensor("input", [1, weight.shape[1], 9, 9])], [tensor("output", shape)])
    model.ir_version = 8
    return Network(model)


@pytest.mark.parametrize("channels", [3, 16, 32, 64])
@pytest.mark.parametrize("side", [1, 3])
def test_kernels_of_this_cpu_add_them_exactly(channels: int, side: int) -> None:
    """The largest inputs and large weights of one sign: what 8-bit weights of a CPU without VNNI get wrong."""
    weight = np.abs(filters((16, channels, side, side), 3))
    network = convolution(weight)
    ranges = {"input": (0.0, 255.0), "output": (0.0, 255.0 * float(weight.sum(axis=(1, 2, 3)).max()))}
    content = file_bytes(write_qdq(network, U8S8_PAIRED, ranges, []))
    frame = np.full((1, channels, 9, 9), 255.0, np.float32)
    fused, exact = (
        open_session(content, threads=1, fused=kernels).run(None, {"input": frame})[0] for kernels in (True, False)
    )
    step = ranges["output"][1] / 255
    assert np.abs(fused - exact).max() <= 1.01 * step, "one step of rounding at most"
    assert exact.max() > 200 * step


def test_a_layer_that_stays_float_keeps_its_weights() -> None:
    network = convolution(filters((4, 8, 3, 3)))
    (layer,) = network.layers
    assert len(paired_convolutions(network, [])) == 1
    assert paired_convolutions(network, [layer.name]) == []
    ranges = {"input": (0.0, 1.0), "output": (-1.0, 1.0)}
    written = write_qdq(network, U8S8_PAIRED, ranges, [layer.name])
    kept = [onnx.numpy_helper.to_array(one) for one in written.graph.initializer if len(one.dims) == 4]
    assert len(kept) == 1
    assert (kept[0] == filters((4, 8, 3, 3))).all()


def test_the_bound_is_the_last_that_fits() -> None:
    assert 255 * PAIR_MAX <= 32767 < 255 * (PAIR_MAX + 1)
