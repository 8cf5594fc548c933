"""KServe's own model server, by gRPC, with an ONNX file that ONNX Runtime runs.

Arguments: MODEL GRPC_PORT; it serves the model as ``tiny`` until it is ended. KServe's ``ModelServer`` listens on all
addresses and cannot be told otherwise, so its servicer, data plane and interceptors are put on a loopback port here.
"""

from __future__ import annotations

import asyncio
import sys

import onnxruntime
from grpc import aio
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.model_repository import ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as service
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

KINDS = {"tensor(uint8)": "UINT8", "tensor(float)": "FP32", "tensor(int64)": "INT64"}
MESSAGE_BYTES_MAX = 64 << 20


class Onnx(Model):
    def __init__(self, path: str) -> None:
        super().__init__("tiny")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.ready = True

    async def get_input_types(self) -> list[dict[str, object]]:
        return facts(self.session.get_inputs())

    async def get_output_types(self) -> list[dict[str, object]]:
        return facts(self.session.get_outputs())

    async def predict(
        self, request: InferRequest, headers: object = None, response_headers: object = None
    ) -> InferResponse:
        feeds = {one.name: one.as_numpy() for one in request.inputs}
        ports = self.session.get_outputs()
        answered = []
        for port, array in zip(ports, self.session.run([one.name for one in ports], feeds), strict=True):
            output = InferOutput(port.name, list(array.shape), KINDS[port.type])
            output.set_data_from_numpy(array)
            answered.append(output)
        return InferResponse(request.id, self.name, answered)


def facts(ports: list[onnxruntime.NodeArg]) -> list[dict[str, object]]:
    return [{"name": one.name, "datatype": KINDS[one.type], "shape": list(one.shape)} for one in ports]


async def main(model: str, port: str) -> None:
    models = ModelRepository()
    models.update(Onnx(model))
    sizes = [
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ]
    server = aio.server(interceptors=(ExceptionToStatusInterceptor(),), options=sizes)
    servicer = InferenceServicer(DataPlane(model_registry=models), ModelRepositoryExtension(model_registry=models))
    service.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
