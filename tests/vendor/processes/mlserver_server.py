"""A real MLServer that serves an ONNX file by gRPC, run by ONNX Runtime in a runtime of its own kind.

Arguments: MODEL GRPC_PORT FOLDER; its settings go into FOLDER; it serves the model as ``tiny`` until it is ended.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import onnxruntime
from mlserver import MLModel
from mlserver.cli import main as mlserver
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

KINDS = {"tensor(uint8)": "UINT8", "tensor(float)": "FP32", "tensor(int64)": "INT64"}


class Onnx(MLModel):
    """What MLServer calls a custom runtime."""

    async def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        names = [port.name for port in self.session.get_outputs()]
        outputs = self.session.run(names, feeds)
        encoded = [NumpyCodec.encode_output(name, array) for name, array in zip(names, outputs, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=encoded)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def main(model: str, grpc_port: str, folder: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    ports = {
        kind: [{"name": one.name, "datatype": KINDS[one.type], "shape": list(one.shape)} for one in some]
        for kind, some in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
    }
    server = {
        "host": "127.0.0.1",
        "http_port": free_port(),
        "grpc_port": int(grpc_port),
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "grpc_max_message_length": 64 << 20,
    }
    Path(folder, "settings.json").write_text(json.dumps(server), encoding="utf-8")
    settings = {"name": "tiny", "implementation": "mlserver_server.Onnx", "parameters": {"uri": model}, **ports}
    Path(folder, "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    sys.path.insert(0, str(Path(__file__).parent))
    sys.argv = ["mlserver", "start", folder]
    mlserver()


if __name__ == "__main__":
    main(*sys.argv[1:])
