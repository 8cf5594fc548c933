"""The GPU proof can fail: each thing that it must notice, in the words of the commands that it reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SPEC = importlib.util.spec_from_file_location("proof_rules", Path(__file__).parents[2] / "hardware/proof_rules.py")
rules = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rules)

REFUSED = {"error": "ProviderError", "text": "CUDAExecutionProvider was asked for, CPUExecutionProvider would run"}
RAN = {
    "provider": "CUDAExecutionProvider",
    "verdict": "full",
    "reason": "",
    "apart": 1e-4,
    "span": 400.0,
}


def bare(ran: str, available: tuple[str, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")) -> dict[str, Any]:
    return {"available": list(available), "device": "GPU", "ran": [ran]}


def line(candidate: str, **changes: Any) -> dict[str, Any]:
    return {
        "candidate": candidate,
        "figures": {"p50_ms": 1.0},
        "parity": {"passed": True, "agreement": 1.0},
        "proof": {"verdict": "full"},
        "why_not": "",
        **changes,
    }


def test_a_session_that_fell_back_to_the_cpu_is_caught_with_and_without_a_gpu() -> None:
    fell_back = bare("CPUExecutionProvider")
    assert rules.fallback_findings(fell_back, REFUSED, gpu=False) == []
    assert "ran on CPUExecutionProvider" in rules.fallback_findings(fell_back, REFUSED, gpu=True)[0]
    believed = rules.fallback_findings(fell_back, RAN, gpu=False)
    assert believed == ["it ran on CUDAExecutionProvider without a GPU"]
    assert "has no CUDA" in rules.fallback_findings(bare("x", ("CPUExecutionProvider",)), REFUSED, gpu=False)[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"provider": "CPUExecutionProvider"}, ["asked for cuda, CPUExecutionProvider serves"]),
        ({"verdict": "partial", "reason": "3 nodes on the CPU"}, ["the proof says partial: 3 nodes on the CPU"]),
        ({"apart": float("nan")}, ["numbers differ by nan where the largest is 400"]),
        ({"apart": 9.0}, ["numbers differ by 9 where the largest is 400"]),
        ({"error": "EngineError", "text": "out of memory"}, ["out of memory"]),
    ],
)
def test_an_engine_that_opened_must_be_the_right_one_whole_and_right(changes: dict[str, Any], said: list[str]) -> None:
    assert rules.opened_findings({**RAN, **changes}, "cuda", gpu=True) == said


def test_without_a_gpu_only_a_refusal_in_words_will_do() -> None:
    assert rules.opened_findings(REFUSED, "cuda", gpu=False) == []
    assert rules.opened_findings(RAN, "cuda", gpu=False) == ["it ran on CUDAExecutionProvider without a GPU"]
    crashed = rules.opened_findings({"error": "EngineDiedError", "text": "gone"}, "cuda", gpu=False)
    assert "expected ProviderError" in crashed[0]


def test_a_killed_engine_is_an_error_of_its_own_and_its_process_is_gone() -> None:
    died = {"error": "EngineDiedError", "text": "ended by SIGKILL", "alive": False}
    assert rules.isolation_findings(died, "kill", gpu=True) == []
    assert rules.isolation_findings(died, "hang", gpu=True) == ["expected EngineHungError, got EngineDiedError"]
    assert rules.isolation_findings({**died, "alive": True}, "kill", gpu=True) == ["its process is still there"]


def test_each_candidate_of_a_bench_on_the_gpu_must_have_run_whole_and_agree() -> None:
    good = {"chosen": "cuda:GPU/fp16/1t", "candidates": [line("cuda:GPU/fp16/1t"), line("tensorrt:GPU/int8/1t")]}
    assert rules.bench_findings(good, gpu=True) == []
    assert rules.bench_findings(good, gpu=False) == ["chosen without a GPU: cuda:GPU/fp16/1t"]
    bad = [
        line("cuda:GPU/fp32/1t", proof={"verdict": "partial"}),
        line("cuda:GPU/fp16/1t", parity={"passed": False}),
        line("cuda:GPU/int8/1t", figures=None, why_not="out of memory"),
    ]
    assert rules.bench_findings({"chosen": None, "candidates": bad}, gpu=True) == [
        "cuda:GPU/fp32/1t: ran partial",
        "cuda:GPU/fp16/1t: does not agree with the reference",
        "cuda:GPU/int8/1t: out of memory",
        "nothing was measured on tensorrt",
    ]


def test_the_running_system_must_serve_on_the_gpu_after_its_engine_was_killed() -> None:
    found = {"frames_inferred": 900, "upstream_messages": 4, "runtime": {"provider": "CUDAExecutionProvider"}}
    assert rules.up_findings(found, gpu=True, killed=True, returned=True) == []
    assert rules.up_findings(found, gpu=True, killed=True, returned=False) == ["the killed engine was not replaced"]
    assert rules.up_findings(found, gpu=True, killed=False, returned=False)
    on_cpu = {**found, "runtime": {"provider": "CPUExecutionProvider"}}
    assert "CPUExecutionProvider served" in rules.up_findings(on_cpu, gpu=True, killed=True, returned=True)[0]
    none = {**found, "frames_inferred": 0}
    assert rules.up_findings(none, gpu=False, killed=False, returned=False) == ["no frame went through"]


def test_doctor_must_offer_both_on_a_gpu_and_say_what_lacks_without_one() -> None:
    tried = [{"provider": "cuda", "variant": "fp32"}]
    lacks = [{"provider": name, "variant": "", "reason": "there is no NVIDIA GPU"} for name in ("cuda", "tensorrt")]
    assert rules.doctor_findings({"tried": [], "rejected": lacks}, gpu=False) == []
    assert rules.doctor_findings({"tried": tried, "rejected": lacks}, gpu=False)
    no_library = [{"provider": "tensorrt", "variant": "", "reason": "no libnvinfer.so.10"}]
    assert rules.doctor_findings({"tried": tried, "rejected": no_library}, gpu=True) == [
        "doctor does not offer tensorrt: no libnvinfer.so.10"
    ]
