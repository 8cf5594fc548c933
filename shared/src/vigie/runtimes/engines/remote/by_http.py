"""The Open Inference Protocol by HTTP, with tensors as bytes after a JSON head."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from numpy.typing import NDArray

from vigie.runtimes.engines.remote.client import Client, RemoteError
from vigie.runtimes.engines.remote.messages import BINARY, ModelFacts, ServerFacts, read_answer, request_head
from vigie.runtimes.engines.remote.transport import RemoteModel


class ByHttp:
    """See ``Transport``. ``limit``: bytes of an answer."""

    def __init__(self, client: Client, asked: RemoteModel, limit: int) -> None:
        self._client = client
        self._asked = asked
        self._limit = limit
        self._path = f"/v2/models/{quote(asked.model, safe='')}"
        if asked.version:
            self._path += f"/versions/{quote(asked.version, safe='')}"
        names = [output.name for output in asked.card.outputs]
        self._head = request_head(asked.card.input.name, asked.input_shape, names)

    def server(self) -> ServerFacts:
        status, body = self._client.get("/v2")
        if status != 200:
            raise RemoteError(f"the server answered {status} to /v2: {_said(body)}", "is it an inference server?")
        try:
            facts = msgspec.json.decode(body, type=ServerFacts)
        except msgspec.DecodeError as error:
            reason = f"what it answers to /v2 cannot be read: {error}"
            raise RemoteError(reason, "is it an inference server?") from error
        if BINARY not in facts.extensions:
            offered = ", ".join(facts.extensions) or "none"
            raise RemoteError(
                f"{facts.name} takes no tensors as bytes by HTTP (its extensions: {offered}), and a picture as JSON "
                "takes longer than the model",
                "use its gRPC port (grpc://host:port), or Triton",
            )
        return facts

    def model(self) -> ModelFacts:
        status, body = self._client.get(f"{self._path}/ready")
        if status != 200:
            name = self._asked.model
            raise RemoteError(f"the server has no model '{name}' that is ready ({status}: {_said(body)})")
        status, body = self._client.get(self._path)
        if status != 200:
            raise RemoteError(f"the server answered {status} to {self._path}: {_said(body)}")
        try:
            return msgspec.json.decode(body, type=ModelFacts)
        except msgspec.DecodeError as error:
            raise RemoteError(f"what it tells of the model cannot be read: {error}") from error

    def infer(self, tensor: memoryview) -> list[NDArray[Any]]:
        status, head_bytes, body = self._client.infer(f"{self._path}/infer", self._head, tensor, self._limit)
        if status != 200:
            raise RemoteError(f"the server answered {status}: {_said(body)}")
        return read_answer(body, head_bytes, self._asked.card)

    def close(self) -> None:
        self._client.close()


def _said(body: bytes) -> str:
    """The server's own words, in one short line."""
    try:
        error = msgspec.json.decode(body, type=dict[str, Any]).get("error", "")
        text = error if isinstance(error, str) and error else ""
    except msgspec.DecodeError:
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:200] or "no words"
