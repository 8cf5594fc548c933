"""The engine ``kserve``: another machine runs the bundle's model, and is refused unless it answers as the bundle does.

Its options: ``url``, ``model``, and if need be ``version``, ``token`` and ``ca`` (names of secrets of the device).
"""

from __future__ import annotations

import contextlib
from typing import Any, Self
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError, SecretMissingError, SecretRefusedError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import EngineSettings
from vigie.runtimes.engines.remote.client import Access, Client, RemoteError, Target
from vigie.runtimes.engines.remote.messages import (
    BINARY,
    ModelFacts,
    ServerFacts,
    read_answer,
    request_head,
    signature_of,
)
from vigie.runtimes.parity import judge
from vigie.runtimes.proof import Proof
from vigie.runtimes.reference_frames import reference_frames
from vigie.runtimes.signature import check_signature, check_tensor

ENGINE = "kserve"
DEVICE = "remote"
OPTIONS = ("url", "model", "version", "token", "ca")
_TIMEOUT_S = 10.0
_HEAD_BYTES_MAX = 64 << 10
_OPEN_OUTPUT_BYTES = 16 << 20  # where the picture decides how many rows come


class KServeEngine:
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, client: Client, card: Card, candidate: Candidate, server: ServerFacts) -> None:
        self._client = client
        self._card = card
        self._server = server
        self._model = f"{card.name}/{candidate.variant}"
        self.candidate = candidate
        self.variant = candidate.variant
        self.threads = candidate.threads
        self.provider = f"{ENGINE}:{candidate.options['model']}"
        self.input_shape = (1, card.input.height, card.input.width, 3)
        names = [output.name for output in card.outputs]
        self._head = request_head(card.input.name, self.input_shape, names)
        self._path = f"{_model_path(candidate.options)}/infer"
        self._limit = _HEAD_BYTES_MAX + sum(_bytes_of(output.shape) for output in card.outputs)

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        check_tensor(tensor_hwc, self.input_shape[1:])
        tensor = np.ascontiguousarray(tensor_hwc).data.cast("B")
        try:
            status, head_bytes, body = self._client.infer(self._path, self._head, tensor, self._limit)
        except RemoteError as error:
            raise EngineError(self._model, error.reason) from error
        if status != 200:
            raise EngineError(self._model, f"the server answered {status}: {_said(body)}")
        try:
            return read_answer(body, head_bytes, self._card)
        except ValueError as error:
            raise EngineError(self._model, f"the server's answer is refused: {error}") from error

    def placement(self) -> dict[str, int]:
        return {}

    def prove(self) -> Proof:
        where = f"{self._server.name} {self._server.version}".strip()
        reason = f"{where} at {self.candidate.options['url']} answers; on what it runs is not known here"
        return Proof("remote", self.candidate.key, {}, None, None, reason, "")

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_kserve(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> KServeEngine:
    """See ``open_engine``. The bundle's reference frames are run: a server with another model is refused here."""
    del settings  # nothing of it is ours to choose on another machine
    model = f"{bundle.card.name}/{bundle.variant(candidate.variant).name}"
    options = candidate.options
    if set(options) - set(OPTIONS) or not {"url", "model"} <= set(options):
        raise ProviderError(model, f"{ENGINE} takes {', '.join(OPTIONS)}, got {', '.join(options) or 'nothing'}")
    with contextlib.ExitStack() as unwinding:
        try:
            client = _connected(options)
            unwinding.callback(client.close)
            server = _server_facts(client)
            check_signature(bundle.card, model, *signature_of(_model_facts(client, options), bundle.card))
        except RemoteError as error:
            raise ProviderError(model, error.reason, error.remedy) from error
        except (SecretMissingError, SecretRefusedError) as error:
            raise ProviderError(model, str(error)) from error
        engine = KServeEngine(client, bundle.card, candidate, server)
        parity = judge(bundle.card, engine.run, reference_frames(bundle))
        if not parity.passed:
            reason = f"the server does not answer as this bundle does: {parity.why}"
            raise ProviderError(model, reason, "put this bundle's model there")
        unwinding.pop_all()
    return engine


def _connected(options: dict[str, str]) -> Client:
    target = Target.of(options["url"])
    access = Access.of_device(target, options.get("token", ""), options.get("ca", ""))
    return Client(target, access, timeout_s=_TIMEOUT_S)


def _server_facts(client: Client) -> ServerFacts:
    status, body = client.get("/v2")
    if status != 200:
        raise RemoteError(f"the server answered {status} to /v2: {_said(body)}", "is it an inference server?")
    try:
        facts = msgspec.json.decode(body, type=ServerFacts)
    except msgspec.DecodeError as error:
        raise RemoteError(f"what it answers to /v2 cannot be read: {error}", "is it an inference server?") from error
    if BINARY not in facts.extensions:
        offered = ", ".join(facts.extensions) or "none"
        raise RemoteError(
            f"{facts.name} takes no tensors as bytes by HTTP (its extensions: {offered}), and a picture as JSON "
            "takes longer than the model",
            "use Triton",
        )
    return facts


def _model_facts(client: Client, options: dict[str, str]) -> ModelFacts:
    path = _model_path(options)
    status, body = client.get(f"{path}/ready")
    if status != 200:
        raise RemoteError(f"the server has no model '{options['model']}' that is ready ({status}: {_said(body)})")
    status, body = client.get(path)
    if status != 200:
        raise RemoteError(f"the server answered {status} to {path}: {_said(body)}")
    try:
        return msgspec.json.decode(body, type=ModelFacts)
    except msgspec.DecodeError as error:
        raise RemoteError(f"what it tells of the model cannot be read: {error}") from error


def _model_path(options: dict[str, str]) -> str:
    path = f"/v2/models/{quote(options['model'], safe='')}"
    return f"{path}/versions/{quote(options['version'], safe='')}" if options.get("version") else path


def _said(body: bytes) -> str:
    """The server's own words, in one short line."""
    try:
        error = msgspec.json.decode(body, type=dict[str, Any]).get("error", "")
        text = error if isinstance(error, str) and error else ""
    except msgspec.DecodeError:
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:200] or "no words"


def _bytes_of(shape: tuple[int, ...]) -> int:
    """Of an output whose number type the card does not tell: the widest."""
    return _OPEN_OUTPUT_BYTES if -1 in shape else 8 * int(np.prod(shape, dtype=np.int64))
