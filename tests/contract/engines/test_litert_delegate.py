"""LiteRT with a vendor's delegate: a real one, compiled here, that takes operators, refuses, lies and crashes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.engines import needs
from support.inference import inference, picture
from support.modules import until
from support.tflite_bundles import with_tflite
from support.tiny_delegate import compiled, needs_compiler
from vigie.errors import EngineDiedError, EngineError, ProviderError
from vigie.models import Bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, open_engine
from vigie.runtimes.choosing.candidates import candidates
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.engines.litert_delegate import VARIABLE
from vigie.runtimes.engines.opening import open_to_serve
from vigie.runtimes.hardware import probe
from vigie.runtimes.measuring import measure
from vigie_devkit.__main__ import main
from vigie_inference import measuring

pytestmark = [needs("litert"), needs_compiler, pytest.mark.timeout(500)]
FLOAT_OPERATORS = 17  # of the twin in fp32; support.tflite_models writes them


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return with_tflite(tmp_path_factory.mktemp("delegate"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(autouse=True)
def _allowed(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(library.parent))


def candidate(library: Path, **options: str) -> Candidate:
    named = NamedDelegate(str(library), "NPU", options)
    return Candidate("litert", "litert-delegate", "NPU", "tflite-fp32", 1, named.candidate_options())


def test_what_the_delegate_took_is_counted_and_its_numbers_are_right(bundle: Bundle, library: Path) -> None:
    with open_to_serve(bundle, candidate(library)) as engine:
        assert type(engine).__name__ == "IsolatedEngine"
        assert engine.provider == "LiteRT:libtiny_delegate.so"
        for pair in read_reference(bundle):
            np.testing.assert_allclose(engine.run(pair.tensor_hwc)[0], pair.outputs[0], atol=2e-3)
        proof = engine.prove()
    assert (proof.verdict, proof.placed) == ("full", {"LiteRT:libtiny_delegate.so": FLOAT_OPERATORS})
    assert proof.reason == "libtiny_delegate.so took 17 of 17 operators, in 1 parts"


@pytest.mark.parametrize(
    ("take", "taken", "left"),
    [("LOGISTIC", 1, "ADD, CONCATENATION, CONV_2D, RESHAPE"), ("CONV_2D,RESHAPE", 12, "ADD, CONCATENATION, LOGISTIC")],
)
def test_what_it_left_to_the_cpu_is_named_though_xnnpack_is_a_delegate_too(
    bundle: Bundle, library: Path, take: str, taken: int, left: str
) -> None:
    with open_engine(bundle, candidate(library, take=take)) as engine:
        proof = engine.prove()
        pair = read_reference(bundle)[0]
        np.testing.assert_allclose(engine.run(pair.tensor_hwc)[0], pair.outputs[0], atol=2e-3)
    assert proof.verdict == "partial"
    assert proof.placed == {"LiteRT:libtiny_delegate.so": taken, "LiteRT:CPU": FLOAT_OPERATORS - taken}
    assert f"took {taken} of 17 operators" in proof.reason
    assert proof.reason.endswith(f"left to the CPU: {left}")


def test_one_that_takes_nothing_is_refused_instead_of_a_silent_run_on_the_cpu(bundle: Bundle, library: Path) -> None:
    with pytest.raises(ProviderError, match=r"libtiny_delegate\.so: took no operator of the file; the CPU would run"):
        open_engine(bundle, candidate(library, take="NOTHING"))


def test_an_int8_file_of_which_it_takes_the_float_part_is_proven_as_such(tmp_path: Path, library: Path) -> None:
    int8 = with_tflite(tmp_path, int8=True)
    named = NamedDelegate(str(library))
    wanted = Candidate("litert", "litert-delegate", "NPU", "tflite-int8", 1, named.candidate_options())
    with open_to_serve(int8, wanted) as engine:
        proof = engine.prove()
    assert proof.verdict == "partial"
    assert "CONV_2D" in proof.reason


@pytest.mark.parametrize("own_process", [False, True])
def test_its_own_refusal_is_told_with_its_path(bundle: Bundle, library: Path, own_process: bool) -> None:
    opening = open_to_serve if own_process else open_engine
    with pytest.raises(ProviderError, match=r"delegate /.*/libtiny_delegate\.so: no Edge TPU is plugged in"):
        opening(bundle, candidate(library, fail="no Edge TPU is plugged in"))
    with pytest.raises(ProviderError, match=r"libtiny_delegate\.so: this option is unknown"):
        opening(bundle, candidate(library, colour="red"))


def test_a_crash_while_it_loads_ends_its_own_process_and_names_the_library(bundle: Bundle, library: Path) -> None:
    with pytest.raises(EngineDiedError, match=r"library=/.*libtiny_delegate\.so.*during loading .* ended by SIGSEGV"):
        open_to_serve(bundle, candidate(library, crash="load"))


def test_a_crash_in_a_run_ends_its_own_process(bundle: Bundle, library: Path) -> None:
    tensor = read_reference(bundle)[0].tensor_hwc
    with (
        open_to_serve(bundle, candidate(library, crash="run")) as engine,
        pytest.raises(EngineDiedError, match="during a run the engine's process was ended by SIGSEGV"),
    ):
        engine.run(tensor)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("missing", "cannot be read: No such file or directory; put it into the image"),
        ("folder", "cannot be read: Is a directory"),
        ("text", "is not a shared library"),
        ("other-processor", "is built for riscv64, 64 bits; this is "),
        ("narrow", "is built for arm, 32 bits; this is "),
        ("cut", "(cannot read file data|file too short)"),
        ("no-delegate", "has no tflite_plugin_create_delegate"),
        ("elsewhere", f"lies outside .*; {VARIABLE} on the device names more folders"),
        ("link", r"lies outside .* \(it is /"),
    ],
)
def test_a_library_that_cannot_be_one_is_refused_with_path_and_reason(
    bundle: Bundle, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, said: str
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "allowed"))
    file = tmp_path / "allowed" / "libvendor.so"
    file.parent.mkdir()
    content = bytearray(library.read_bytes())
    if made == "folder":
        file.mkdir()
    elif made == "text":
        file.write_text("#!/bin/sh\n")
    elif made == "other-processor":
        content[18:20] = (243).to_bytes(2, "little")
        file.write_bytes(content)
    elif made == "narrow":
        content[4], content[18:20] = 1, (40).to_bytes(2, "little")
        file.write_bytes(content)
    elif made == "cut":
        file.write_bytes(content[:64])
    elif made == "no-delegate":
        from ctypes.util import find_library

        names = [find_library("m"), "libm.so.6"]
        found = [path for name in names for path in Path("/usr/lib").glob(f"*/{name}")]
        shutil.copyfile(found[0], file)
    elif made == "elsewhere":
        file = library
    elif made == "link":
        file.symlink_to(library)
    with pytest.raises(EngineError, match=f"delegate {file}: .*{said}") as refused:
        open_to_serve(bundle, candidate(file))
    assert isinstance(refused.value, ProviderError)


def test_it_is_a_candidate_only_where_the_configuration_names_it(bundle: Bundle, library: Path) -> None:
    _, lacking = candidates(probe(), bundle.card)
    reasons = {one.device: one.reason for one in lacking if one.provider == "litert-delegate"}
    assert reasons == {"NPU": "no delegate for a NPU is named", "GPU": "no delegate for a GPU is named"}
    here = candidates_here(bundle, delegate=NamedDelegate(str(library), "GPU", {"take": "ADD"}))
    [offered] = [one for one in here.candidates if one.provider == "litert-delegate"]
    assert offered.key == f"litert-delegate:GPU/tflite-fp32/1t+delegate.take=ADD+library={library}"
    before = here.facts["delegate"]
    assert len(before) == 64
    other = library.with_name("other.so")
    other.write_bytes(library.read_bytes() + b"\0")
    assert candidates_here(bundle, delegate=NamedDelegate(str(other))).facts["delegate"] != before


def test_models_bench_measures_it_and_parity_catches_one_that_lies(
    bundle: Bundle, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["models", "bench", str(bundle.folder), "--engines", "litert", "--processes", "1", "--json"]
    assert main([*words, "--delegate", str(library)]) == 0
    lines = {one["candidate"]: one for one in json.loads(capsys.readouterr().out)["candidates"]}
    [mine] = [one for key, one in lines.items() if key.startswith("litert-delegate:NPU/tflite-fp32/1t")]
    assert (mine["proof"]["verdict"], mine["why_not"]) == ("full", "")
    assert mine["parity"]["passed"]
    assert main([*words, "--delegate", str(library), "--delegate-option", "lie=0.5"]) == 0
    lines = {one["candidate"]: one for one in json.loads(capsys.readouterr().out)["candidates"]}
    [mine] = [one for key, one in lines.items() if key.startswith("litert-delegate")]
    assert not mine["parity"]["passed"]
    assert mine["why_not"]
    assert main([*words, "--delegate-option", "lie=0.5"]) != 0
    assert "is for --delegate" in capsys.readouterr().err


async def test_the_module_serves_by_it_where_the_twin_prefers_it_and_survives_its_crash(
    bundle: Bundle, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = measure.MeasurePlan(processes=1, runs=4, seconds=0.1, limit_s=60.0, nice=0)
    monkeypatch.setattr(measuring.Measuring, "_plan", lambda _self: plan)
    wish = {"delegate": {"library": str(library)}, "require": {"devices": ["NPU"]}}
    hw = (bundle.card.input.height, bundle.card.input.width)
    async with inference(tmp_path) as bench:
        shutil.copytree(bundle.folder, tmp_path / "twin")
        spec = await bench.serve(tmp_path / "twin", runtime=wish, threads=1)
        state = await bench.settled()
        assert state["serving"]["candidate"].startswith("litert-delegate:NPU/tflite-fp32"), state
        assert state["serving"]["verdict"] == "full"
        await bench.answered(picture(1, hw), spec.version)
        crashing = {**wish, "delegate": {"library": str(library), "options": {"crash": "load"}}}
        await bench.serve(tmp_path / "twin", runtime=crashing, threads=1)
        await until(lambda: "SIGSEGV" in str(bench.runtime().get("rejected")), timeout_s=120)
        assert str(library) in str(bench.runtime()["rejected"])
        # The library that worked goes on; nothing else fits what is required.
        assert bench.runtime()["serving"]["candidate"] == state["serving"]["candidate"]
        await bench.answered(picture(1, hw), spec.version)
        refused = await bench.desire(runtime={"delegate": {"library": "libtiny.so"}})
        assert "$.runtime.delegate.library" in refused["runtime"]["ad"]
    assert os.environ[VARIABLE] == str(library.parent)
