"""Dynamic integers: which layers, for which networks, and the file computes what the float one does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from support.models import Graph, image, tensor
from support.trained import face_detector, product_classifier
from vigie_devkit.quantize.dynamic import dynamic_layers, suited, write_dynamic
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.qdq import file_bytes
from vigie_devkit.quantize.ranges import open_session
from vigie_devkit.quantize.recipes import DYNAMIC, U8S8_PAIRED


def mixed(columns: int) -> onnx.ModelProto:
    """A convolution of 4 x 4 x 8 x 3 = 384 multiply-adds, then a product of 128 x ``columns``."""
    g, rng = Graph(), np.random.default_rng(2)
    value = g.add("Conv", "images", g.constant(rng.normal(0, 1, (8, 3, 1, 1))))
    flat = g.add("Reshape", value, g.constant([1, 128], np.int64))
    g.add("MatMul", flat, g.constant(rng.normal(0, 1, (128, columns))), name="out")
    return g.model([image((4, 4))], [tensor("out", [1, columns])])


@pytest.mark.parametrize(("columns", "made"), [(2, False), (3, True), (9, True)], ids=["40%", "50%", "75%"])
def test_half_of_the_work_must_be_in_matrix_products(columns: int, made: bool) -> None:
    kept, left_out = suited([U8S8_PAIRED, DYNAMIC], Network(mixed(columns)))
    assert kept == ([U8S8_PAIRED, DYNAMIC] if made else [U8S8_PAIRED])
    assert bool(left_out) is not made
    if left_out:
        assert left_out[0] == (
            "int8-dynamic is not made: 40.0% of the multiply-adds are in MatMul or Gemm, 50% are needed; "
            "of convolutions dynamic quantization makes ConvInteger, which is slower than fp32"
        )


def test_a_network_of_convolutions_is_told_its_share() -> None:
    kept, left_out = suited([U8S8_PAIRED, DYNAMIC], Network(face_detector()))
    assert kept == [U8S8_PAIRED]
    assert left_out[0].startswith("int8-dynamic is not made: 0.0% of the multiply-adds")


def test_convolutions_stay_float_beside_integer_products() -> None:
    kinds = [node.op_type for node in write_dynamic(Network(mixed(9)), DYNAMIC).graph.node]
    assert "Conv" in kinds
    assert kinds.count("MatMulInteger") == 1
    assert "ConvInteger" not in kinds


def gemms(**attributes: float) -> onnx.ModelProto:
    """Two Gemms that read one matrix, transposed; the first with ``attributes``."""
    g, rng = Graph(), np.random.default_rng(3)
    matrix = g.constant(rng.normal(0, 1, (48, 48)))
    flat = g.add("Reshape", "images", g.constant([1, 48], np.int64))
    first = g.add("Gemm", flat, matrix, g.constant(rng.normal(0, 1, 48)), transB=1, **attributes)
    g.add("Gemm", first, matrix, name="out", transB=1)
    return g.model([image((4, 4))], [tensor("out", [1, 48])])


@pytest.mark.parametrize(
    ("model", "integers"),
    [(product_classifier(), 3), (mixed(9), 1), (gemms(), 2), (gemms(alpha=0.5), 1)],
    ids=["products", "mixed", "a shared matrix", "a scaled Gemm"],
)
def test_the_file_computes_what_the_float_network_does(model: onnx.ModelProto, integers: int) -> None:
    network = Network(model)
    written = write_dynamic(network, DYNAMIC)
    onnx.checker.check_model(written)
    assert len(dynamic_layers(network)) == integers
    assert [node.op_type for node in written.graph.node].count("MatMulInteger") == integers
    name = model.graph.input[0].name
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    feed = {name: np.random.default_rng(4).normal(0, 1, shape).astype(np.float32)}
    wanted = open_session(model.SerializeToString(), threads=1).run(None, feed)[0]
    had = open_session(file_bytes(written), threads=1).run(None, feed)[0]
    # 8 bits and a fitted head that enlarges differences: some per cent; a matrix the wrong way round: twice the signal.
    assert np.square(had - wanted).mean() < 0.05 * np.square(wanted).mean()
