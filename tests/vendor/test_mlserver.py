"""The remote engine against a real MLServer by gRPC: the same numbers, and its end costs no frame."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.engines import needs
from support.remote_failover import opened_when_it_serves, server_ends_under_way
from support.vendor_env import vendor_python
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE
from vigie_devkit.models.importer import import_model

HERE = Path(__file__).parent
HW = (64, 96)
pytestmark = [needs("grpc"), pytest.mark.timeout(1800)]  # its environment is 450 MB on first use


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("mlserver")
    file = models.save(models.yolox(HW), folder)
    return load_bundle(import_model(file, folder / "tiny", name="tiny", labels=list(models.NAMES)))


@pytest.fixture
def mlserver(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, subprocess.Popen]]:
    """Its URL and process; it serves the bundle's model as ``tiny``."""
    python = vendor_python(HERE / "mlserver.txt", probe="import mlserver, onnxruntime")
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "mlserver"
    settings.mkdir()
    with (settings / "log").open("w") as log:
        process = subprocess.Popen(
            [python, HERE / "processes/mlserver_server.py", bundle.variant("fp32").file, str(port), settings],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"grpc://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(60)


async def test_mlserver_answers_as_the_bundle_does_and_its_end_costs_no_frame(
    bundle: Bundle, mlserver: tuple[str, subprocess.Popen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, process = mlserver
    reference = read_reference(bundle)[0]
    with opened_when_it_serves(bundle, url, process) as engine:
        for own, wanted in zip(engine.run(reference.tensor_hwc), reference.outputs, strict=True):
            np.testing.assert_allclose(own, wanted, atol=1e-3)
        proof = engine.prove()
        assert (proof.verdict, proof.reason.partition(" at ")[0]) == ("remote", "mlserver 1.7.1")

    def end() -> None:
        process.kill()
        process.wait(60)

    await server_ends_under_way(bundle.folder, HW, url, end, tmp_path, monkeypatch)
