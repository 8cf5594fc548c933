"""The Open Inference Protocol by gRPC: what MLServer and KServe's own server take tensors as bytes by; Triton too."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc
from numpy.typing import NDArray

from vigie.runtimes.engines.remote.client import Access, RemoteError, ServerAddress, addresses_of
from vigie.runtimes.engines.remote.grpc_messages import SERVICE, message
from vigie.runtimes.engines.remote.messages import ModelFacts, ServerFacts, TensorFacts, read_parts
from vigie.runtimes.engines.remote.transport import RemoteModel

_WORDS_MAX = 200


class ByGrpc:
    """See ``Transport``. ``limit``: bytes of an answer."""

    def __init__(
        self, target: ServerAddress, access: Access, asked: RemoteModel, limit: int, *, timeout_s: float
    ) -> None:
        """Raises: RemoteError: the address is not allowed, or the CA's file cannot be read."""
        self._where = f"{target.host}:{target.port}"
        self._timeout_s = timeout_s
        self._asked = asked
        # Metadata keys are lower case in gRPC.
        self._metadata = (("authorization", f"Bearer {access.token.reveal()}"),) if access.token is not None else ()
        self._channel = _channel(target, access, limit)
        self._calls: dict[str, Any] = {}
        self._request = self._of_model("ModelInferRequest", "model_name", "model_version")
        card = asked.card
        self._request.inputs.add(name=card.input.name, datatype="UINT8", shape=asked.input_shape)
        for output in card.outputs:
            self._request.outputs.add(name=output.name)

    def server(self) -> ServerFacts:
        found = self._call("ServerMetadata", message("ServerMetadataRequest")())
        return ServerFacts(found.name or "a server without a name", found.version, tuple(found.extensions))

    def model(self) -> ModelFacts:
        name = self._asked.model
        if not self._call("ModelReady", self._of_model("ModelReadyRequest", "name", "version")).ready:
            raise RemoteError(f"the server has no model '{name}' that is ready")
        found = self._call("ModelMetadata", self._of_model("ModelMetadataRequest", "name", "version"))
        inputs, outputs = (
            tuple(TensorFacts(one.name, one.datatype, tuple(one.shape)) for one in some)
            for some in (found.inputs, found.outputs)
        )
        return ModelFacts(found.name, inputs, outputs, found.platform or None)

    def infer(self, tensor: memoryview) -> list[NDArray[Any]]:
        del self._request.raw_input_contents[:]
        self._request.raw_input_contents.append(tensor.tobytes())
        found = self._call("ModelInfer", self._request)
        outputs = [(one.name, one.datatype, tuple(one.shape)) for one in found.outputs]
        if outputs and not found.raw_output_contents:
            raise ValueError("its outputs came as numbers, not as bytes")
        return read_parts(outputs, found.raw_output_contents, self._asked.card)

    def close(self) -> None:
        self._channel.close()

    def _of_model(self, kind: str, name: str, version: str) -> Any:
        return message(kind)(**{name: self._asked.model, version: self._asked.version})

    def _call(self, method: str, request: Any) -> Any:
        call = self._calls.get(method)
        if call is None:
            answer = message(f"{method}Response")
            call = self._calls[method] = self._channel.unary_unary(
                f"/{SERVICE}/{method}",
                request_serializer=lambda sent: sent.SerializeToString(),
                response_deserializer=answer.FromString,
            )
        try:
            return call(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise RemoteError(f"{self._where}: {self._in_words(error)}") from error

    def _in_words(self, error: Any) -> str:
        code, details = error.code(), " ".join((error.details() or "").split())[:_WORDS_MAX]
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"no answer within {self._timeout_s:g} s"
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return f"its answer is too large: {details}"
        return f"it answered {code.name.lower()}: {details or 'no words'}"


def _channel(target: ServerAddress, access: Access, limit: int) -> Any:
    """To the address that was judged, not to a second answer of the name server; no proxy, no retries."""
    where = f"{target.host}:{target.port}"
    try:
        *_, address = addresses_of(target, access.policy)[0]
    except OSError as error:
        raise RemoteError(f"{where}: its name is not known") from error
    host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
    options = [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.default_authority", where),
    ]
    if not target.tls:
        return grpc.insecure_channel(f"{host}:{target.port}", options=options)
    file = access.ca_file or ssl.get_default_verify_paths().cafile
    try:
        trusted = Path(file).read_bytes() if file else None
    except OSError as error:
        raise RemoteError(f"{where}: the CA cannot be read ({error})") from error
    options.append(("grpc.ssl_target_name_override", target.host))
    return grpc.secure_channel(f"{host}:{target.port}", grpc.ssl_channel_credentials(trusted), options=options)
