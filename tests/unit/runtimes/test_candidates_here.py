"""Why an engine that a twin names cannot serve on this machine, and what to write or do instead."""

from __future__ import annotations

import pytest

from vigie.runtimes.choosing.candidates import Rejected
from vigie.runtimes.choosing.candidates_here import Here

_REQUIRE = '"require": {"providers": ["tensorrt"]}'


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("openvino", "openvino is not installed; install openvino"),
        ("litert", "this bundle has no .tflite variant"),
        ("tensorrt", f"it is a provider of onnxruntime, which {_REQUIRE} asks for, and there is no NVIDIA GPU"),
        ("tensort", "no engine has this name"),
    ],
)
def test_an_engine_that_nothing_here_runs_on_is_refused_with_the_reason_and_the_right_words(
    asked: str, why: str
) -> None:
    lacking = (
        Rejected("openvino", "openvino", "CPU", "", "openvino is not installed", "install openvino"),
        Rejected("litert", "litert", "CPU", "", "this bundle has no .tflite variant", ""),
        Rejected("onnxruntime", "tensorrt", "GPU", "", "there is no NVIDIA GPU", ""),
    )
    assert Here((), lacking).why_not(asked) == why
