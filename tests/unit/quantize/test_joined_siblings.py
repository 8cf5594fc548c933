"""Float convolutions side by side are joined where that changes no answer, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from support import models
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.quantize.joined_siblings import join_siblings
from vigie_devkit.quantize.layers import Network

SIZE = (8, 12)
OUTPUTS = {"box": 4, "object": 1, "class": 7}


def network(*, kernel: int = 1, bias: bool = True, strides: tuple[int, int, int] = (1, 1, 1)) -> Network:
    """A stem and three layers side by side; ``strides``: of each."""
    g = models.Graph()
    stem = g.add("Relu", g.add("Conv", "images", g.constant(g.rng.normal(size=(6, 3, 1, 1))), name="stem"))
    outputs = []
    for (name, count), stride in zip(OUTPUTS.items(), strides, strict=True):
        constants = [g.constant(g.rng.normal(size=(count, 6, kernel, kernel)))]
        constants += [g.constant(g.rng.normal(size=count))] if bias else []
        g.add("Conv", stem, *constants, name=name, kernel_shape=[kernel, kernel], strides=[stride, stride])
        height, width = (1 + (side - kernel) // stride for side in SIZE)
        outputs.append(models.tensor(name, [1, count, height, width]))
    return Network(g.model([models.image(SIZE)], outputs))


def convolutions(seen: Network) -> int:
    return sum(node.op_type == "Conv" for node in seen.model.graph.node)


def layer_names(seen: Network) -> dict[str, str]:
    return {layer.output: layer.name for layer in seen.layers}


@pytest.mark.parametrize(("kernel", "bias"), [(1, True), (1, False), (3, True)])
def test_joined_layers_answer_as_they_did(kernel: int, bias: bool) -> None:
    plain = network(kernel=kernel, bias=bias)
    names = layer_names(plain)

    joined, parts = join_siblings(plain, [names[output] for output in OUTPUTS])

    assert convolutions(joined) == 2
    assert len(parts) == 1
    assert parts[0] in joined.nodes
    assert len(joined.weights) < len(plain.weights)
    picture = np.random.default_rng(3).normal(size=(1, 3, *SIZE)).astype(np.float32)
    before, after = (
        run_reference(one.model.SerializeToString(), {"images": picture}, name="heads") for one in (plain, joined)
    )
    for output in OUTPUTS:
        np.testing.assert_allclose(after[output], before[output], rtol=1e-5, atol=1e-5)


def test_an_integer_sibling_and_one_with_another_stride_stay_apart() -> None:
    plain = network(strides=(1, 2, 1))
    names = layer_names(plain)
    joined, _ = join_siblings(plain, [names[output] for output in OUTPUTS])
    assert convolutions(joined) == 3
    assert {"object"} <= {layer.output for layer in joined.layers}

    same, parts = join_siblings(plain, [names["box"], names["object"]])
    assert (same, parts) == (plain, ())
