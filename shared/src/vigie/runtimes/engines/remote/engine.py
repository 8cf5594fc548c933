"""The engine ``kserve``: another machine runs the bundle's model, and is refused unless it answers as the bundle does.

By HTTP with tensors as bytes (Triton), or by gRPC (Triton, MLServer, KServe's own server), as the URL's scheme says.

Its options: ``url``, ``model``, and if need be ``version``, ``token`` and ``ca`` (names of secrets of the device).
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError, SecretMissingError, SecretRefusedError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import CardEngine, EngineSettings
from vigie.runtimes.engines.remote.by_http import ByHttp
from vigie.runtimes.engines.remote.client import Access, Client, RemoteError, ServerAddress
from vigie.runtimes.engines.remote.messages import ServerFacts, signature_of
from vigie.runtimes.engines.remote.transport import RemoteModel, Transport
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


class KServeEngine(CardEngine):
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, transport: Transport, card: Card, candidate: Candidate, server: ServerFacts) -> None:
        super().__init__(card, candidate, f"{ENGINE}:{candidate.options['model']}")
        self._transport = transport
        self._server = server

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        check_tensor(tensor_hwc, self.input_shape[1:])
        tensor = np.ascontiguousarray(tensor_hwc).data.cast("B")
        try:
            return self._transport.infer(tensor)
        except RemoteError as error:
            raise EngineError(self._model, error.reason) from error
        except ValueError as error:
            raise EngineError(self._model, f"the server's answer is refused: {error}") from error

    def placement(self) -> dict[str, int]:
        return {}

    def prove(self) -> Proof:
        where = f"{self._server.name} {self._server.version}".strip()
        reason = f"{where} at {self.candidate.options['url']} answers; on what it runs is not known here"
        return Proof("remote", self.candidate.key, {}, None, None, reason, "")

    def close(self) -> None:
        self._transport.close()


def open_kserve(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> KServeEngine:
    """See ``open_engine``. The bundle's reference frames are run: a server with another model is refused here."""
    del settings  # nothing of it is ours to choose on another machine
    model = f"{bundle.card.name}/{bundle.variant(candidate.variant).name}"
    options = candidate.options
    if set(options) - set(OPTIONS) or not {"url", "model"} <= set(options):
        raise ProviderError(model, f"{ENGINE} takes {', '.join(OPTIONS)}, got {', '.join(options) or 'nothing'}")
    with contextlib.ExitStack() as unwinding:
        try:
            transport = _connected(options, bundle.card)
            unwinding.callback(transport.close)
            server = transport.server()
            check_signature(bundle.card, model, *signature_of(transport.model(), bundle.card))
        except RemoteError as error:
            raise ProviderError(model, error.reason, error.remedy) from error
        except (SecretMissingError, SecretRefusedError) as error:
            raise ProviderError(model, str(error)) from error
        engine = KServeEngine(transport, bundle.card, candidate, server)
        parity = judge(bundle.card, engine.run, reference_frames(bundle))
        if not parity.passed:
            reason = f"the server does not answer as this bundle does: {parity.why}"
            raise ProviderError(model, reason, "put this bundle's model there")
        unwinding.pop_all()
    return engine


def _connected(options: dict[str, str], card: Card) -> Transport:
    target = ServerAddress.of(options["url"])
    access = Access.of_device(target, options.get("token", ""), options.get("ca", ""))
    asked = RemoteModel(options["model"], options.get("version", ""), card)
    limit = _HEAD_BYTES_MAX + sum(_bytes_of(output.shape) for output in card.outputs)
    if not target.grpc:
        return ByHttp(Client(target, access, timeout_s=_TIMEOUT_S), asked, limit)
    try:
        from vigie.runtimes.engines.remote.by_grpc import ByGrpc
    except ImportError as error:
        raise RemoteError(f"gRPC is not installed here ({error})", "install vigie[grpc], or use http") from error
    return ByGrpc(target, access, asked, limit, timeout_s=_TIMEOUT_S)


def _bytes_of(shape: tuple[int, ...]) -> int:
    """Of an output whose number type the card does not tell: the widest."""
    return _OPEN_OUTPUT_BYTES if -1 in shape else 8 * int(np.prod(shape, dtype=np.int64))
