"""The switchable graph answers as the files it stands for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from support import models
from support.trained import face_detector, face_picture
from vigie.errors import QuantizationError
from vigie.models import load_bundle
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.models import import_model
from vigie_devkit.quantize.clipping import clip_range
from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.half import write_half
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.qdq import file_bytes, write_qdq
from vigie_devkit.quantize.ranges import observe
from vigie_devkit.quantize.recipes import A16W8, S8S8, U8S8_8BIT, U8S8_PAIRED, Recipe
from vigie_devkit.quantize.simulator import Simulator
from vigie_devkit.quantize.tails import Tail, find_tail

FRAMES = [face_picture(np.random.default_rng(seed), 2) for seed in range(8)]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("faces")
    bundle = load_bundle(import_model(models.save(face_detector(), folder), folder / "b", family="ultraface"))
    return Network(onnx.load(bundle.variant().file))


@pytest.fixture(scope="module")
def ranges(network: Network) -> dict[str, tuple[float, float]]:
    histograms = observe(network, FRAMES, threads=1, step=lambda: None)
    return {name: clip_range(one, "minmax") for name, one in histograms.items()}


def answers(content: bytes) -> list[np.ndarray]:
    """BASIC optimisation: rounding as written, sums in float, on any CPU."""
    return list(run_reference(content, {"image_bgr": FRAMES[0][None]}, name="test").values())


def signal_to_noise_db(wanted: np.ndarray, had: np.ndarray) -> float:
    return float(10 * np.log10(np.square(wanted).sum() / max(np.square(wanted - had).sum(), 1e-20)))


@pytest.mark.parametrize(
    "recipe", [U8S8_PAIRED, U8S8_8BIT, S8S8, A16W8], ids=["paired", "8-bit", "symmetric", "16-bit"]
)
@pytest.mark.parametrize("count", [0, 2, 7], ids=["all-int", "mixed", "all-float"])
def test_any_mix_answers_as_its_own_file(
    network: Network, ranges: dict[str, tuple[float, float]], recipe: Recipe, count: int
) -> None:
    tail = find_tail(network)
    simulator = Simulator(
        network, write_qdq(network, recipe, ranges, float_nodes(network, tail, []), keep_activations=True), threads=1
    )
    kept = float_nodes(network, tail, [layer.name for layer in network.layers[:count]])
    simulated = simulator.run(FRAMES[0], simulator.flags(kept))
    written = answers(file_bytes(write_qdq(network, recipe, ranges, kept, keep_activations=True)))
    for left, right in zip(simulated, written, strict=True):
        # Equal but for int32 biases and the order of sums: far below one step of 8 bits.
        assert signal_to_noise_db(right, left) > 45


def test_all_float_is_the_float_network(network: Network, ranges: dict[str, tuple[float, float]]) -> None:
    tail = find_tail(network)
    quantized = write_qdq(network, U8S8_8BIT, ranges, float_nodes(network, tail, []), keep_activations=True)
    simulator = Simulator(network, quantized, threads=1)
    flags = simulator.flags(float_nodes(network, tail, [layer.name for layer in network.layers]))
    assert not flags.any()
    for left, right in zip(simulator.run(FRAMES[0], flags), answers(network.model.SerializeToString()), strict=True):
        assert left == pytest.approx(right, abs=1e-4)


def test_16_bit_activations_are_written_as_such_and_leave_only_the_weights_noise(
    network: Network, ranges: dict[str, tuple[float, float]]
) -> None:
    model = write_qdq(network, A16W8, ranges, float_nodes(network, find_tail(network), []))
    onnx.checker.check_model(write_qdq(network, U8S8_8BIT, ranges, float_nodes(network, find_tail(network), [])))
    kinds = {one.data_type for one in model.graph.initializer}
    assert {onnx.TensorProto.UINT16, onnx.TensorProto.INT8} <= kinds
    wanted = answers(network.model.SerializeToString())
    for left, right in zip(answers(file_bytes(model)), wanted, strict=True):
        assert signal_to_noise_db(right, left) > 30


def test_paired_weights_use_eight_bits(network: Network, ranges: dict[str, tuple[float, float]]) -> None:
    for recipe in (U8S8_PAIRED, U8S8_8BIT):
        model = write_qdq(network, recipe, ranges, float_nodes(network, find_tail(network), []))
        weights = [
            onnx.numpy_helper.to_array(one)
            for one in model.graph.initializer
            if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
        ]
        assert len(weights) == 7
        assert 96 < max(int(np.abs(one.astype(int)).max()) for one in weights) <= 127, "beyond 7 bits"


def test_an_opset_without_scales_per_channel_is_refused_with_what_to_do(ranges: dict[str, tuple[float, float]]) -> None:
    old = face_detector()
    old.opset_import[0].version = 12
    with pytest.raises(QuantizationError, match="has opset 12, 13 is needed; export it with a newer opset"):
        write_qdq(Network(old), U8S8_8BIT, ranges, [])


def test_half_precision_keeps_input_and_outputs(network: Network) -> None:
    half = write_half(network, find_tail(network))
    onnx.checker.check_model(half)
    assert half.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert {item.type.tensor_type.elem_type for item in half.graph.output} == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in half.graph.initializer}
    for left, right in zip(answers(half.SerializeToString()), answers(network.model.SerializeToString()), strict=True):
        assert signal_to_noise_db(right, left) > 30


def test_a_graph_without_layers_has_no_tail() -> None:
    g = models.Graph()
    g.add("Relu", "images", name="output")
    network = Network(g.model([models.image((8, 8))], [models.tensor("output", [1, 3, 8, 8])]))
    assert find_tail(network) == Tail(("Relu_0",), ())
