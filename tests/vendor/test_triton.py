"""The remote engine against a real Triton: the same numbers, and its end costs no frame."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.remote_failover import server_ends_under_way
from support.vendor_env import vendor_python
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, EngineSettings, open_engine
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE
from vigie_devkit.models.importer import import_model

HERE = Path(__file__).parent
HW = (64, 96)
START_LIMIT_S = 120
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="Triton's package is for x86-64 only")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("triton")
    file = models.save(models.yolox(HW), folder)
    return load_bundle(import_model(file, folder / "tiny", name="tiny", labels=list(models.NAMES)))


@pytest.fixture(scope="module")
def triton(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL and process; it serves the bundle's model as ``tiny``."""
    python = vendor_python(HERE / "triton.txt", probe="import pytriton, onnxruntime")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Its Python back end loads whichever libpython the loader finds first; another patch release ends it.
    environment = {**os.environ, "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR") or ""}
    ready = tmp_path_factory.mktemp("ready") / "serving"
    process = subprocess.Popen(
        [python, HERE / "processes/triton_server.py", bundle.variant("fp32").file, str(port), ready],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_LIMIT_S
    try:
        while not ready.exists():
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(START_LIMIT_S)


@pytest.mark.timeout(1800)  # its environment is 200 MB on first use
async def test_triton_answers_as_the_bundle_does_and_its_end_costs_no_frame(
    bundle: Bundle, triton: tuple[str, subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    url, process = triton
    candidate = Candidate("kserve", "kserve", "remote", "fp32", 1, {"url": url, "model": "tiny"})
    tensor = read_reference(bundle)[0].tensor_hwc
    with open_engine(bundle, "fp32") as local:
        wanted = [output.copy() for output in local.run(tensor)]
    with open_engine(bundle, candidate, settings=EngineSettings()) as engine:
        for own, here in zip(engine.run(tensor), wanted, strict=True):
            np.testing.assert_allclose(own, here, atol=1e-4)
        proof = engine.prove()
        assert (proof.verdict, proof.reason.partition(" at ")[0]) == ("remote", "triton 2.51.0")

    def end() -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(START_LIMIT_S)

    await server_ends_under_way(bundle.folder, HW, url, end, tmp_path, monkeypatch)
