"""A model on another machine by gRPC: the same promises as by HTTP, on a stand-in that can misbehave.

tests/vendor/test_mlserver.py has a real server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support import models
from support.engines import needs
from support.mean_hub import make_certificate
from vigie.errors import EngineError, ProviderError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, Engine, EngineSettings, open_engine
from vigie.runtimes.engines.remote import engine as remote_engine
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE, RemoteError, ServerAddress
from vigie_devkit.models.importer import import_model

if TYPE_CHECKING:
    from support.v2_grpc_server import V2GrpcServer

pytestmark = needs("grpc")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("grpc")
    file = models.save(models.yolox((64, 64)), folder)
    return load_bundle(import_model(file, folder / "tiny", family="yolox", trust=True))


@pytest.fixture
def server(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[V2GrpcServer]:
    from support.v2_grpc_server import v2_grpc_server

    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    with v2_grpc_server(bundle.variant("fp32").file) as running:
        yield running


def opened(bundle: Bundle, url: str, **more: str) -> Engine:
    candidate = Candidate("kserve", "kserve", "remote", "fp32", 1, {"url": url, "model": "tiny", **more})
    return open_engine(bundle, candidate, settings=EngineSettings())


def test_a_server_answers_as_the_bundle_does_and_the_proof_says_who_it_is(bundle: Bundle, server: V2GrpcServer) -> None:
    reference = read_reference(bundle)[0]
    with opened(bundle, server.url) as engine:
        for _ in range(2):
            for own, wanted in zip(engine.run(reference.tensor_hwc), reference.outputs, strict=True):
                np.testing.assert_allclose(own, wanted, atol=1e-3)
        proof = engine.prove()
    assert (proof.verdict, proof.reason.partition(" at ")[0]) == ("remote", "stand-in 1.0")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut short", r"the server's answer is refused: output .* has \d+ bytes"),
        ("huge", "its answer is too large"),
        ("other shape", r"the server's answer is refused: output .* has shape \[1, 1, .*\], the card promises"),
        ("no bytes", "the server's answer is refused: its outputs came as numbers, not as bytes"),
        ("output missing", "the server's answer is refused: output .* is missing; there are none"),
        ("fails", r"127\.0\.0\.1:\d+: it answered internal: out of memory on the GPU"),
    ],
)
def test_an_answer_that_is_not_what_the_card_promises_is_an_error(
    bundle: Bundle, server: V2GrpcServer, fault: str, said: str
) -> None:
    tensor = read_reference(bundle)[0].tensor_hwc
    with opened(bundle, server.url) as engine:
        server.fault = fault
        with pytest.raises(EngineError, match=said):
            engine.run(tensor)
        server.fault = ""
        engine.run(tensor)  # and it goes on where the server does


def test_a_server_that_hangs_is_given_up(bundle: Bundle, server: V2GrpcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = read_reference(bundle)[0].tensor_hwc
    monkeypatch.setattr(remote_engine, "_TIMEOUT_S", 3.0)
    with opened(bundle, server.url) as engine:
        server.fault = "hangs"
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+: no answer within 3 s"):
            engine.run(tensor)


def test_another_model_no_model_and_one_that_is_not_ready_are_refused(bundle: Bundle, server: V2GrpcServer) -> None:
    server.fault = "wrong numbers"
    with pytest.raises(ProviderError, match="the server does not answer as this bundle does: F1 against the reference"):
        opened(bundle, server.url)
    server.fault = "not ready"
    with pytest.raises(ProviderError, match="the server has no model 'tiny' that is ready"):
        opened(bundle, server.url)
    with pytest.raises(ProviderError, match="it answered not_found: Model other not found"):
        opened(bundle, server.url, model="other")


def test_its_end_and_an_address_that_is_not_allowed_are_errors(
    bundle: Bundle, server: V2GrpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = read_reference(bundle)[0].tensor_hwc
    with opened(bundle, server.url) as engine:
        server.stop()
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+: it answered unavailable"):
            engine.run(tensor)
    monkeypatch.setenv(NETWORKS_VARIABLE, "10.0.0.0/8")
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1"):
        opened(bundle, server.url)


def test_the_token_goes_by_tls_only_and_only_to_a_certificate_that_is_trusted(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import grpc

    from support.v2_grpc_server import v2_grpc_server

    make_certificate(tmp_path / "chain.pem", tmp_path / "site-ca", "127.0.0.1")
    (tmp_path / "mls").write_text("s3cret\n")
    (tmp_path / "mls.host").write_text("127.0.0.1\n")
    monkeypatch.setenv("VIGIE_SECRETS", str(tmp_path))
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    pair = ((tmp_path / "chain.pem").read_bytes(),) * 2  # the key and the chain are in one file
    with v2_grpc_server(bundle.variant("fp32").file, grpc.ssl_server_credentials([pair])) as server:
        server.token = "s3cret"
        with opened(bundle, server.url, token="mls", ca="site-ca") as engine:
            engine.run(read_reference(bundle)[0].tensor_hwc)
        with pytest.raises(ProviderError, match="it answered unauthenticated: no token"):
            opened(bundle, server.url, ca="site-ca")
        with pytest.raises(ProviderError, match="it answered unavailable"):
            opened(bundle, server.url, token="mls")
        with pytest.raises(ProviderError, match="a token is never sent without TLS; use grpcs"):
            opened(bundle, server.url.replace("grpcs", "grpc"), token="mls")


@pytest.mark.parametrize("url", ["grpc://10.0.0.7", "grpc://10.0.0.7:8001/v2", "grpcs://me@10.0.0.7:8001"])
def test_a_url_of_grpc_is_a_host_and_a_port(url: str) -> None:
    with pytest.raises(RemoteError):
        ServerAddress.of(url)
