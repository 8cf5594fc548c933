"""A runtime's own message in one line: its beginning names the place, its end the cause."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vigie.errors import EngineError
from vigie.runtimes.engines.reference_run import run_reference
from vigie.runtimes.runtime_libraries import first_line


def test_a_message_of_pages_keeps_its_cause_at_the_end() -> None:
    error = RuntimeError(f"[ONNXRuntimeError] : 1 : FAIL : {'/layer/' * 200} has unsupported type\nmore lines")
    line = first_line(error)
    assert len(line) <= 505
    assert line.startswith("FAIL : /layer/")
    assert line.endswith("has unsupported type")
    assert first_line(ValueError()) == "ValueError"


def test_onnxruntimes_refusal_of_a_graph_with_long_names_says_what_is_wrong() -> None:
    name = "encoder/" * 100
    node = helper.make_node("MatMul", ["left", "right"], ["product"], name=name)
    sides = {"left": [2, 3], "right": [4, 5], "product": [2, 5]}
    ports = {key: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in sides.items()}
    graph = helper.make_graph([node], "g", [ports["left"], ports["right"]], [ports["product"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {key: np.zeros(sides[key], np.float32) for key in ("left", "right")}
    with pytest.raises(EngineError, match=r"(?i)dimension") as refused:
        run_reference(model.SerializeToString(), feeds, name="long.onnx")
    assert "\n" not in str(refused.value)


def test_the_cause_is_named_of_an_operator_that_does_not_exist() -> None:
    node = helper.make_node("Twist", ["a"], ["b"], name="twist")
    port = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [port("a", TensorProto.FLOAT, [1])], [port("b", TensorProto.FLOAT, [1])])
    model = onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(EngineError, match="Twist"):
        run_reference(model.SerializeToString(), {"a": np.zeros(1, np.float32)}, name="odd.onnx")
