"""What a .tflite file computes in, of the lists that LiteRT gives; and who computes what of its operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vigie.runtimes.engines.litert_delegate import machine_of, why_not
from vigie.runtimes.engines.litert_graph import Delegation, taken_by_delegates
from vigie.runtimes.engines.litert_numbers import number_types_of

IN, WEIGHTS, OUT = 0, 1, 2


def tensor(index: int, dtype: Any, scales: tuple[float, ...] = (), zeros: tuple[int, ...] = ()) -> dict[str, Any]:
    numbers = {"scales": np.array(scales, np.float32), "zero_points": np.array(zeros or (0,) * len(scales))}
    return {"index": index, "dtype": dtype, "quantization_parameters": numbers}


def operator(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


CONVOLUTION = [operator(0, "CONV_2D", [IN, WEIGHTS], [OUT])]


@pytest.mark.parametrize(
    ("tensors", "activations", "weights", "symmetric", "per_channel", "integer"),
    [
        ([tensor(one, np.float32) for one in (IN, WEIGHTS, OUT)], "float", "float", None, None, 0),
        (
            [tensor(IN, np.int8, (0.1,), (-128,)), tensor(WEIGHTS, np.int8, (0.1, 0.2)), tensor(OUT, np.int8, (0.1,))],
            "s8", "s8", False, True, 1,
        ),
        (
            [tensor(IN, np.uint8, (0.1,)), tensor(WEIGHTS, np.uint8, (0.1,), (7,)), tensor(OUT, np.uint8, (0.1,))],
            "u8", "u8", True, False, 1,
        ),
        (
            [tensor(IN, np.int16, (0.1,)), tensor(WEIGHTS, np.int8, (0.1,)), tensor(OUT, np.int16, (0.1,))],
            "s16", "s8", True, False, 1,
        ),
        # Weights alone, and bytes that are not numbers at all.
        (
            [tensor(IN, np.float32), tensor(WEIGHTS, np.int8, (0.1,)), tensor(OUT, np.float32)],
            "float", "s8", None, False, 0,
        ),
        ([tensor(IN, np.uint8), tensor(WEIGHTS, np.int8), tensor(OUT, np.int8)], "float", "float", None, None, 0),
    ],
    ids=["float", "int8", "uint8", "16x8", "weights only", "bytes"],
)  # fmt: skip
def test_numbers_are_read_of_the_tensors(
    tensors: list[dict[str, Any]],
    activations: str,
    weights: str,
    symmetric: bool | None,
    per_channel: bool | None,
    integer: int,
) -> None:
    found = number_types_of(tensors, CONVOLUTION, [IN])
    assert (found.activations, found.weights) == (activations, weights)
    assert (found.symmetric, found.per_channel) == (symmetric, per_channel)
    assert found.integer_activations == integer
    assert found.half_weights == 0


def test_half_floats_are_counted_among_constants_only() -> None:
    tensors = [tensor(IN, np.float16), tensor(WEIGHTS, np.float16), tensor(OUT, np.float16)]
    assert number_types_of(tensors, CONVOLUTION, [IN]).half_weights == 1


def test_who_writes_a_tensor_is_the_delegate_where_there_is_one() -> None:
    file = [operator(0, "CONV_2D", [0], [1]), operator(1, "ADD", [1], [2]), operator(2, "SOFTMAX", [2], [3])]
    assert taken_by_delegates(file, [3]) == Delegation(0, 0, ("SOFTMAX", "ADD", "CONV_2D"))
    some = [*file, operator(3, "DELEGATE", [0], [2])]
    assert taken_by_delegates(some, [3]) == Delegation(1, 2, ("SOFTMAX",))
    whole = [*file, operator(3, "DELEGATE", [0], [3])]
    assert taken_by_delegates(whole, [3]) == Delegation(1, 3, ())
    assert taken_by_delegates([], [3]) == Delegation(0, 0, ())


@pytest.mark.parametrize(
    ("head", "machine"),
    [
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00", "x86_64"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\x00", "aarch64"),
        (b"\x7fELF\x02\x02" + bytes(12) + b"\x00\xb7", "aarch64"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x09\x00", "processor 9"),
        (b"\x7fELF\x02", ""),
        (b"MZ" + bytes(18), ""),
    ],
)
def test_the_processor_is_read_of_the_librarys_first_bytes(head: bytes, machine: str) -> None:
    assert machine_of(head) == machine


def test_a_path_that_depends_on_where_the_process_runs_is_refused() -> None:
    assert why_not("libedgetpu.so.1", ("/usr/lib",), "x86_64")[0] == "is not an absolute path"
    assert why_not("", ("/usr/lib",), "x86_64")[0] == "is not an absolute path"
