"""A server of the Open Inference Protocol by gRPC that runs an ONNX file, and can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime

from vigie.runtimes.engines.remote.grpc_messages import SERVICE, message

KINDS = {"uint8": "UINT8", "float32": "FP32", "float16": "FP16", "int64": "INT64", "int32": "INT32"}
NUMPY = {"tensor(uint8)": "UINT8", "tensor(float)": "FP32", "tensor(float16)": "FP16", "tensor(int64)": "INT64"}


class V2GrpcServer:
    """``fault``: what to do wrong from now on; ``token``: who does not send it is refused."""

    def __init__(self, model: Path, credentials: Any = None) -> None:
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.fault = self.token = ""
        self.go_on = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._guarded(answer),
                request_deserializer=message(f"{name}Request").FromString,
                response_serializer=lambda sent: sent.SerializeToString(),
            )
            for name, answer in (
                ("ServerMetadata", self.server_metadata),
                ("ModelReady", self.model_ready),
                ("ModelMetadata", self.model_metadata),
                ("ModelInfer", self.model_infer),
            )
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.scheme = "grpc" if credentials is None else "grpcs"
        self._server.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.go_on.set()
        self._server.stop(None).wait(30)

    def _guarded(self, answer: Any) -> Any:
        def call(request: Any, context: Any) -> Any:
            if self.token and ("authorization", f"Bearer {self.token}") not in context.invocation_metadata():
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
            return answer(request, context)

        return call

    def server_metadata(self, _request: Any, _context: Any) -> Any:
        return message("ServerMetadataResponse")(name="stand-in", version="1.0")

    def model_ready(self, request: Any, context: Any) -> Any:
        if request.name != "tiny":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Model {request.name} not found")
        return message("ModelReadyResponse")(ready=self.fault != "not ready")

    def model_metadata(self, _request: Any, _context: Any) -> Any:
        found = message("ModelMetadataResponse")(name="tiny")
        for ports, into in ((self.session.get_inputs(), found.inputs), (self.session.get_outputs(), found.outputs)):
            for port in ports:
                into.add(name=port.name, datatype=NUMPY[port.type], shape=list(port.shape))
        return found

    def model_infer(self, request: Any, context: Any) -> Any:
        if self.fault == "hangs":
            self.go_on.wait(60)
        if self.fault == "fails":
            context.abort(grpc.StatusCode.INTERNAL, "out of memory\non the GPU")
        put = request.inputs[0]
        array = np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(tuple(put.shape))
        names = [one.name for one in request.outputs]
        answer = message("ModelInferResponse")(model_name="tiny")
        for name, output in zip(names, self.session.run(names, {put.name: array}), strict=True):
            shape = [1, *output.shape] if self.fault == "other shape" else list(output.shape)
            answer.outputs.add(name=name, datatype=KINDS[output.dtype.name], shape=shape)
            answer.raw_output_contents.append(self._bytes_of(output))
        if self.fault == "no bytes":
            del answer.raw_output_contents[:]
        if self.fault == "output missing":
            del answer.outputs[:], answer.raw_output_contents[:]
        return answer

    def _bytes_of(self, output: np.ndarray) -> bytes:
        if self.fault == "wrong numbers":
            output = np.zeros_like(output)
        content = output.tobytes()
        return {"cut short": content[:-8], "huge": content + bytes(64 << 20)}.get(self.fault, content)


@contextmanager
def v2_grpc_server(model: Path, credentials: Any = None) -> Iterator[V2GrpcServer]:
    server = V2GrpcServer(model, credentials)
    try:
        yield server
    finally:
        server.stop()
