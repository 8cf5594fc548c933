"""A model on another machine: agreed with, proven, refused and failed over from like any engine.

The server is a stand-in, for what it does wrong; tests/vendor/test_triton.py has a real one.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.mean_hub import make_certificate
from support.v2_server import V2Server, v2_server
from vigie.errors import EngineError, ProviderError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, Engine, EngineSettings, open_engine
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.choose import choose
from vigie.runtimes.choosing.objective import Objective, Selection
from vigie.runtimes.engines.remote import engine as remote_engine
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE
from vigie.runtimes.measuring.measure import MeasurePlan, measure_all
from vigie_devkit.models.importer import import_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("remote")
    file = models.save(models.yolox((64, 64)), folder)
    return load_bundle(import_model(file, folder / "tiny", family="yolox", trust=True))


def model_file(bundle: Bundle) -> Path:
    return bundle.variant(next(iter(bundle.card.variants))).file


@pytest.fixture
def server(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[V2Server]:
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    with v2_server(model_file(bundle)) as running:
        yield running


def asking(url: str, **more: str) -> Candidate:
    return Candidate("kserve", "kserve", "remote", "fp32", 1, {"url": url, "model": "tiny", **more})


def opened(bundle: Bundle, url: str, **more: str) -> Engine:
    return open_engine(bundle, asking(url, **more), settings=EngineSettings())


def test_a_server_answers_as_the_bundle_does_and_the_proof_says_who_it_is(bundle: Bundle, server: V2Server) -> None:
    reference = read_reference(bundle)[0]
    with opened(bundle, server.url) as engine:
        for own, wanted in zip(engine.run(reference.tensor_hwc), reference.outputs, strict=True):
            np.testing.assert_allclose(own, wanted, atol=1e-3)
        proof = engine.prove()
    assert proof.verdict == "remote"
    assert proof.reason == f"stand-in 1.0 at {server.url} answers; on what it runs is not known here"
    assert server.connections == 1, "one connection is kept"


def test_a_server_that_closes_what_was_idle_costs_no_frame(bundle: Bundle, server: V2Server) -> None:
    server.fault = "closes when idle"
    tensor = read_reference(bundle)[0].tensor_hwc
    with opened(bundle, server.url) as engine:
        for _ in range(3):
            engine.run(tensor)
    assert server.connections > 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut short", r"the server's answer is refused: output .* has \d+ bytes"),
        ("too much", "the server's answer is refused: 64 bytes belong to no output"),
        ("huge", r"its answer has more than \d+ bytes"),
        ("other shape", r"the server's answer is refused: output .* has shape \[1, 1, .*\], the card promises"),
        ("as json", "the server's answer is refused: output .* came as JSON"),
        ("output missing", "the server's answer is refused: output .* is missing; there are none"),
        ("no head", "the server's answer is refused: it announces a head of 0 of 1 bytes"),
        ("fails", "the server answered 500: out of memory on the GPU"),
        ("redirects", "the server answered 307"),
        ("hangs up", "closed connection without response"),
    ],
)
def test_an_answer_that_is_not_what_the_card_promises_is_an_error(
    bundle: Bundle, server: V2Server, fault: str, said: str
) -> None:
    tensor = read_reference(bundle)[0].tensor_hwc
    with opened(bundle, server.url) as engine:
        engine.run(tensor)
        server.fault = fault
        with pytest.raises(EngineError, match=said):
            engine.run(tensor)
        server.fault = ""
        engine.run(tensor)  # and it goes on where the server does


def test_a_server_that_hangs_is_given_up(bundle: Bundle, server: V2Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_engine, "_TIMEOUT_S", 1.0)
    tensor = read_reference(bundle)[0].tensor_hwc
    with opened(bundle, server.url) as engine:
        server.fault = "hangs"
        before = time.monotonic()
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+: no answer within 1 s"):
            engine.run(tensor)
        assert time.monotonic() - before < 25, "the server would sleep for 30 s"


def test_a_server_with_another_model_is_refused_before_it_serves(bundle: Bundle, server: V2Server) -> None:
    server.fault = "wrong numbers"
    with pytest.raises(ProviderError, match="the server does not answer as this bundle does: F1 against the reference"):
        opened(bundle, server.url)


def test_a_server_whose_model_has_another_shape_is_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    other = load_bundle(
        import_model(models.save(models.yolox((64, 96)), tmp_path), tmp_path / "b", family="yolox", trust=True)
    )
    with v2_server(model_file(other)) as server, pytest.raises(EngineError, match="expected the input"):
        opened(bundle, server.url)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("not ready", "the server has no model 'tiny' that is ready"),
        ("no bytes", "takes no tensors as bytes by HTTP .* a picture as JSON takes longer"),
    ],
)
def test_what_cannot_serve_is_refused_with_the_reason(bundle: Bundle, server: V2Server, change: str, said: str) -> None:
    if change == "no bytes":
        server.extensions = []
    else:
        server.fault = change
    with pytest.raises(ProviderError, match=said):
        opened(bundle, server.url)


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("http://192.0.2.7", {}, "is not among the hosts that this device allows .* VIGIE_REMOTE_NETWORKS"),
        ("http://169.254.169.254", {}, "is never a peer of this device"),
        ("http://user:pw@10.0.0.1", {}, r"the URL must be http\(s\)://host"),
        ("ftp://10.0.0.1", {}, r"the URL must be http\(s\)://host"),
        ("http://10.0.0.1:99999", {}, "is not a URL"),
        ("http://10.0.0.1", {"token": "t"}, "a token is never sent without TLS"),
        ("https://10.0.0.1", {"ca": "../x"}, "is not the name of a file"),
        ("https://10.0.0.1", {"token": "missing"}, "missing"),
    ],
)
def test_a_twin_cannot_send_pictures_or_secrets_where_the_device_does_not_allow(
    bundle: Bundle, url: str, more: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NETWORKS_VARIABLE, raising=False)
    monkeypatch.setenv("VIGIE_SECRETS", str(tmp_path))
    with pytest.raises(ProviderError, match=said):
        opened(bundle, url, **more)


def test_tls_is_verified_and_the_token_goes_to_its_own_host(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    monkeypatch.setenv("VIGIE_SECRETS", str(tmp_path))
    make_certificate(tmp_path / "chain.pem", tmp_path / "site-ca", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem")
    (tmp_path / "key").write_text("t0ken\n")
    (tmp_path / "key.host").write_text("127.0.0.1\n")
    with v2_server(model_file(bundle), tls=context) as server:
        server.token = "t0ken"
        with pytest.raises(ProviderError, match="its certificate is not trusted"):
            opened(bundle, server.url, token="key")
        with pytest.raises(ProviderError, match="answered 401 to /v2: unauthorised"):
            opened(bundle, server.url, ca="site-ca")
        with opened(bundle, server.url, ca="site-ca", token="key") as engine:
            assert "t0ken" not in engine.prove().reason
        (tmp_path / "key.host").write_text("10.0.0.9\n")
        with pytest.raises(ProviderError, match=r"is not for the host '127\.0\.0\.1'"):
            opened(bundle, server.url, ca="site-ca", token="key")


def test_it_is_measured_judged_and_ranked_like_any_engine(bundle: Bundle, server: V2Server) -> None:
    here = candidates_here(bundle, 1, remote={"url": server.url, "model": "tiny"})
    (remote,) = [one for one in here.candidates if one.engine == "kserve"]
    measured = measure_all(bundle, [remote], MeasurePlan(processes=1, nice=0), before=lambda _: True) or []
    (one,) = measured
    assert one.failure is None
    assert one.parity is not None
    assert one.parity.passed
    choice = choose(measured, Objective(require=Selection(engines=("kserve",))))
    assert choice.chosen == remote
    assert remote.key == f"kserve:remote/fp32/1t+model=tiny+url={server.url}"
