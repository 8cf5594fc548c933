"""Which nodes are the tail, and which follow a layer that stays float."""

from __future__ import annotations

from support import models
from support.trained import face_detector, shape_classifier
from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.tails import find_tail, layers_before


def kinds(network: Network, names: tuple[str, ...]) -> list[str]:
    return sorted({network.nodes[name].op_type for name in names})


def test_a_detectors_tail_ends_at_its_last_convolutions() -> None:
    network = Network(models.yolox(decoded=True))
    tail = find_tail(network)
    assert [network.nodes[name].op_type for name in tail.last_layers] == ["Conv"] * 3
    assert {"Exp", "Sigmoid", "Concat", "Transpose", "Slice", "Mul"} <= set(kinds(network, tail.nodes))
    assert "Conv" not in kinds(network, tail.nodes)
    assert "AveragePool" not in kinds(network, tail.nodes), "what comes before the layers is no tail"


def test_a_classifiers_tail_is_what_follows_its_last_layer() -> None:
    network = Network(shape_classifier())
    assert find_tail(network).nodes == ()
    assert [network.nodes[name].op_type for name in find_tail(network).last_layers] == ["Gemm"]


def test_a_value_that_also_goes_on_into_the_network_is_no_tail() -> None:
    g = models.Graph()
    first = g.add("Sigmoid", g.add("Conv", "images", g.constant(g.rng.normal(size=(4, 3, 1, 1)))), name="early")
    g.add("Conv", first, g.constant(g.rng.normal(size=(2, 4, 1, 1))), name="late")
    model = g.model([models.image((8, 8))], [models.tensor("early", [1, 4, 8, 8]), models.tensor("late", [1, 2, 8, 8])])
    assert find_tail(Network(model)).nodes == ()


def test_what_lies_between_float_layers_stays_float() -> None:
    network = Network(face_detector())
    tail = find_tail(network)
    layers = [layer.name for layer in network.layers]
    relu = [node.name for node in network.model.graph.node if node.op_type == "Relu"]
    assert float_nodes(network, tail, []) == set(tail.nodes)
    assert not set(relu) & float_nodes(network, tail, [])
    kept = float_nodes(network, tail, layers[:2])
    assert set(relu[:2]) <= kept
    assert not set(relu[2:]) & kept
    assert float_nodes(network, tail, layers) >= {*layers, *relu}


def test_pixels_are_not_rounded_before_the_first_layer() -> None:
    g = models.Graph()
    scaled = g.add("Mul", g.add("Sub", "images", g.constant([127.0])), g.constant([1 / 128]))
    g.add("Conv", scaled, g.constant(g.rng.normal(size=(2, 3, 1, 1))), name="output")
    network = Network(g.model([models.image((8, 8))], [models.tensor("output", [1, 2, 8, 8])]))
    kept = float_nodes(network, find_tail(network), [])
    assert {network.nodes[name].op_type for name in kept} == {"Sub", "Mul"}


def test_multiply_adds_are_counted_and_depthwise_layers_known() -> None:
    network = Network(face_detector())
    assert [layer.depthwise for layer in network.layers] == [False, True, False, True, False, False, False]
    assert network.layers[0].multiply_adds == 60 * 80 * 8 * 27
    assert network.layers[1].multiply_adds == 30 * 40 * 8 * 9
    assert network.integer_share([]) == 1.0
    assert network.integer_share([layer.name for layer in network.layers]) == 0.0


def test_the_layers_before_others_are_found_through_what_does_not_multiply() -> None:
    g = models.Graph()
    weights = g.constant(g.rng.normal(size=(3, 3, 1, 1)))
    stem = g.add("Conv", "images", weights, name="stem")
    left = g.add("Relu", g.add("Conv", stem, weights, name="left"))
    joined = g.add("Add", left, stem)
    g.add("Conv", joined, weights, name="box")
    g.add("Conv", left, weights, name="score")
    model = g.model([models.image((8, 8))], [models.tensor("box", [1, 3, 8, 8]), models.tensor("score", [1, 3, 8, 8])])
    network = Network(model)
    names = {layer.output: layer.name for layer in network.layers}
    assert layers_before(network, [names["box"]]) == (names["stem"], names["left"])
    assert layers_before(network, [names["score"]]) == (names["left"],)
    assert layers_before(network, [names["stem"]]) == ()
