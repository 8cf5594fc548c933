"""The doctor's words: what would be tried, what would not, and how to get more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.checkout import ROOT
from support.hardware_trees import INTEL, lay_out
from vigie.models import load_bundle
from vigie.runtimes import doctor
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.choosing.decision_cache import CachedDecision, DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.doctor import diagnose, diagnosis_lines
from vigie.runtimes.hardware import Installed, ProcessIdentity, probe
from vigie.runtimes.measuring.measurement import Failure, Measured, ProcessTrial
from vigie.runtimes.remedy import SEE_DOCTOR
from vigie_devkit import cli

SHIPPED = ROOT / "shared/models/conveyor-parts"


def test_it_says_what_would_be_measured_and_how_to_get_the_rest(tmp_path: Path) -> None:
    packages = (Installed("onnxruntime", "1.31.1"), Installed("openvino", "2026.4.1"))
    report = probe(
        lay_out(tmp_path, INTEL), machine="x86_64", identity=ProcessIdentity(0, frozenset()), packages=packages
    )
    text = "\n".join(diagnosis_lines(diagnose(load_bundle(SHIPPED), report=report)))
    assert "machine       ASUSTeK COMPUTER INC. NUC14RVH, x86_64, Ubuntu 24.04.1 LTS" in text
    assert "6 threads to use: affinity 22, quota of 6 CPUs" in text
    assert "8-bit dot product (avx_vnni)" in text
    assert "Intel NPU 0x8086:0x7d1d (npu-intel): not usable: no libze_intel_npu.so.1" in text
    assert "openvino:GPU/" in text
    assert "onnxruntime-ep-openvino is not installed" in text
    assert "-> install onnxruntime-ep-openvino" in text
    assert "there is no NVIDIA GPU" in text
    assert len(max(text.splitlines(), key=len)) < 160


def test_what_an_earlier_start_measured_here_says_what_would_serve(tmp_path: Path) -> None:
    bundle = load_bundle(SHIPPED)
    assert diagnose(bundle, tmp_path).known is None
    # load, first run, runs, p50, p95, p99, per second, CPU, memory
    quick = Measured(cpu_candidate("fp32", 2), (ProcessTrial(0.1, 20, 10, 10, 11, 12, 100, 20, 60),) * 3)
    slow = Measured(cpu_candidate("fp32", 1), (ProcessTrial(0.1, 30, 10, 19, 20, 21, 50, 19, 60),) * 3)
    crashed = Measured(cpu_candidate("fp16", 2), failure=Failure("crashed", "ended by SIGSEGV"))
    ground = fingerprint(bundle, probe().fingerprint_facts())
    DecisionCache(tmp_path).save(
        CachedDecision(ground, "conveyor-parts", "2026-11-25T20:00:00+00:00", (slow, quick, crashed))
    )
    diagnosis = diagnose(bundle, tmp_path)
    assert diagnosis.known is not None
    assert diagnosis.known.chosen == "cpu/fp32/2t"
    text = "\n".join(diagnosis_lines(diagnosis))
    assert "would serve conveyor-parts: cpu/fp32/2t (measured 2026-11-25T20:00:00+00:00)" in text
    assert "not cpu/fp16/2t: ended by SIGSEGV" in text


def test_json_holds_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == "conveyor-parts"
    assert "cpu" in {candidate["provider"] for candidate in told["tried"]}
    assert {"provider", "reason", "remedy"} <= set(told["rejected"][0])
    assert told["hardware"]["cpu"]["threads"] >= 1


def test_a_bundle_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["doctor", "no-such"]) == 5
    assert "is neither a bundle folder nor one of these names" in capsys.readouterr().err
    assert doctor.main([str(tmp_path / "none")]) == 3
    assert "is not a folder here" in capsys.readouterr().err


def test_whoever_is_sent_to_the_doctor_is_told_how_to_reach_it_on_a_device_too() -> None:
    """A device has no ./vigie: what a module reports there must not name it alone."""
    sources = [path for folder in ("shared/src", "modules") for path in (ROOT / folder).rglob("*.py")]
    naming = {path.name for path in sources if "vigie doctor" in path.read_text(encoding="utf-8")}
    assert naming == {"doctor.py", "remedy.py"}
    assert "python -m vigie.runtimes.doctor" in SEE_DOCTOR


def test_inside_a_container_it_needs_no_dev_kit(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([str(SHIPPED)]) == 0
    assert "would be measured for conveyor-parts:" in capsys.readouterr().out
    assert doctor.main([]) == 0
    assert "would be measured" not in capsys.readouterr().out
