"""A real Triton that serves an ONNX file, run by ONNX Runtime in its Python back end.

Arguments: MODEL PORT READY; the file READY appears when it serves. It ends with stdin.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

KINDS = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(int64)": np.int64}


def main(model: str, port: str, ready: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def infer(requests: list[Any]) -> list[Any]:
        answers = []
        for request in requests:
            outputs = session.run(None, dict(request.data.items()))
            answers.append({port.name: output for port, output in zip(session.get_outputs(), outputs, strict=True)})
        return answers

    def tensors(ports: list[Any]) -> list[Any]:
        return [Tensor(name=one.name, dtype=KINDS[one.type], shape=tuple(one.shape)) for one in ports]

    where = TritonConfig(http_port=int(port), http_address="127.0.0.1", allow_grpc=False, allow_metrics=False)
    with Triton(config=where) as triton:
        triton.bind(
            model_name="tiny",
            infer_func=infer,
            inputs=tensors(session.get_inputs()),
            outputs=tensors(session.get_outputs()),
            config=ModelConfig(batching=False),
        )
        triton.run()
        Path(ready).touch()  # Triton writes to both streams of its own
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
