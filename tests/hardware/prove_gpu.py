"""The steps of ``prove_gpu.sh``: each is a command of the product with a limit of its own, judged by ``proof_rules``.

Run by the Python that has onnxruntime-gpu. Writes one JSON object; exit code 0 if every step passed that this machine
can do, 1 if one did not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import proof_rules as rules  # noqa: E402  (beside this file: tests are no package)

PRODUCT = (sys.executable, "-m", "vigie_devkit")
TRIAL = (sys.executable, str(ROOT / "tests/support/engine_trial.py"))
SHIPPED = ROOT / "shared/models/conveyor-parts"
BUDGET_S = 480.0  # of the whole, installing included
UP_S = 30
CAMERAS, CAMERAS_DRY = 8, 2  # a machine without a GPU need not have the CPUs for eight
# How ONNX Runtime answers when the GPU cannot be had: it does not refuse, and calls the device a GPU all the same.
SILENT = """
import json, onnxruntime as ort
ort.set_default_logger_severity(4)
session = ort.InferenceSession(%r, providers=["CUDAExecutionProvider"], enable_fallback=0)
print(json.dumps({"version": ort.__version__, "available": ort.get_available_providers(), "device": ort.get_device(),
                  "ran": session.get_providers()}))
"""


class Prover:
    """Runs steps one after another while there is time, and keeps what each of them found."""

    def __init__(self, *, spent_s: float, gpu: bool) -> None:
        self.begun = time.monotonic() - spent_s
        self.gpu = gpu
        self.steps: list[dict[str, Any]] = []

    def step(self, name: str, limit_s: float, work: Callable[[float], tuple[dict[str, Any], list[str]]]) -> None:
        """``work`` gets its limit and returns facts and findings; what it raises is a finding."""
        left_s = BUDGET_S - (time.monotonic() - self.begun)
        if left_s < limit_s / 4:
            self._keep(name, "skipped", 0.0, [f"{left_s:.0f} s of {BUDGET_S:.0f} are left"], {})
            return
        at = time.monotonic()
        try:
            facts, findings = work(min(limit_s, left_s))
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            facts, findings = {}, [f"{type(error).__name__}: {error}"[:500]]
        self._keep(name, "failed" if findings else "passed", time.monotonic() - at, findings, facts)

    def _keep(self, name: str, state: str, took_s: float, findings: list[str], facts: dict[str, Any]) -> None:
        self.steps.append(
            {"step": name, "state": state, "seconds": round(took_s, 1), "findings": findings, "facts": facts}
        )
        print(
            f"prove_gpu: {name:28} {state:8} {took_s:6.1f} s  {'; '.join(findings)[:160]}", file=sys.stderr, flush=True
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--install-seconds", type=float, default=0.0)
    parser.add_argument("bundles", nargs="*", type=Path)
    args = parser.parse_args()
    card = nvidia_card()
    prover = Prover(spent_s=args.install_seconds, gpu=bool(card))
    with tempfile.TemporaryDirectory(prefix="vigie-prove-") as home:
        os.environ["VIGIE_HOME"] = home  # state of its own: nothing measured before is taken for measured now
        prove(prover, [SHIPPED, *args.bundles])
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": words("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "card": card,
        "dry_run": "" if card else "this machine has no NVIDIA GPU (nvidia-smi does not answer)",
        "install_seconds": args.install_seconds,
        "seconds": round(time.monotonic() - prover.begun, 1),
        "steps": prover.steps,
    }
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(any(step["state"] != "passed" for step in prover.steps))


def prove(prover: Prover, bundles: Sequence[Path]) -> None:
    providers = ("cuda", "tensorrt")
    prover.step("doctor", 60, lambda limit_s: doctor(limit_s, gpu=prover.gpu))
    prover.step("fallback is caught", 60, lambda limit_s: silent_fallback(limit_s, gpu=prover.gpu))
    for provider in providers:
        prover.step(f"opened: {provider}", 90, lambda limit_s, p=provider: opened(p, limit_s, gpu=prover.gpu))
        for what in ("kill", "hang"):
            prover.step(
                f"isolation: {provider}, {what}",
                90,
                lambda limit_s, p=provider, w=what: isolation(p, w, limit_s, gpu=prover.gpu),
            )
    for bundle in bundles:
        prover.step(f"bench: {bundle.name}", 120, lambda limit_s, b=bundle: bench(b, limit_s, gpu=prover.gpu))
    name = f"up: {CAMERAS} cameras, engine killed" if prover.gpu else f"up: {CAMERAS_DRY} cameras"
    prover.step(name, 180, lambda limit_s: run_cameras(limit_s, gpu=prover.gpu))


# -- steps: facts and findings ---


def doctor(limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    found = asked_json([*PRODUCT, "doctor", str(SHIPPED), "--json"], limit_s)
    return rules.doctor_facts(found), rules.doctor_findings(found, gpu=gpu)


def silent_fallback(limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    """What ONNX Runtime says by itself, and whether the engine believes it."""
    raw = asked_json([sys.executable, "-c", SILENT % str(SHIPPED / "fp32.onnx")], limit_s)
    engine = asked_json([*TRIAL, "run", str(SHIPPED), "cuda", "GPU"], limit_s)
    return {"onnxruntime": raw, "engine": engine}, rules.fallback_findings(raw, engine, gpu=gpu)


def opened(provider: str, limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    found = asked_json([*TRIAL, "run", str(SHIPPED), provider, "GPU"], limit_s)
    return found, rules.opened_findings(found, provider, gpu=gpu)


def isolation(provider: str, what: str, limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    found = asked_json([*TRIAL, what, str(SHIPPED), provider, "GPU"], limit_s)
    return found, rules.isolation_findings(found, what, gpu=gpu)


def bench(bundle: Path, limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    found = asked_json([*PRODUCT, "models", "bench", str(bundle), "--processes", "1", "--json"], limit_s)
    return rules.bench_facts(found), rules.bench_findings(found, gpu=gpu)


def run_cameras(limit_s: float, *, gpu: bool) -> tuple[dict[str, Any], list[str]]:
    """Eight cameras through the whole system; with a GPU it is required by twin, and its process killed once."""
    cameras = CAMERAS if gpu else CAMERAS_DRY
    sources = [f"synthetic://conveyor?seed={number}&fps=15" for number in range(1, cameras + 1)]
    command = [*PRODUCT, "up", *sources, "--seconds", str(UP_S), "--pace", "realtime", "--json", "--run", "prove"]
    disturbed = Disturbance()
    watch = threading.Thread(target=disturbed.run, daemon=True)
    if gpu:
        watch.start()
    found = asked_json(command, limit_s)
    disturbed.over.set()
    facts = {**found, "engine_killed": disturbed.killed, "engine_returned": disturbed.returned}
    return facts, rules.up_findings(found, gpu=gpu, killed=disturbed.killed, returned=disturbed.returned)


class Disturbance:
    """Requires the GPU of the running system, waits for the engine's process, kills it, and looks for the next."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.killed = self.returned = False

    def run(self) -> None:
        wanted = json.dumps({"runtime": {"require": {"providers": ["cuda", "tensorrt"]}}})
        while not self.over.wait(1.0):
            if words(*PRODUCT, "twin", "set", "inference", wanted, "--wait"):
                break
        first = self._engine(other_than=0)
        if first and not self.over.wait(3.0):  # a moment of service before it ends
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
                self.killed = True
            self.returned = self._engine(other_than=first) != 0

    def _engine(self, *, other_than: int) -> int:
        """The process of the engine that inference itself started, of this run and no other; 0 if the run ended."""
        home = f"VIGIE_HOME={os.environ['VIGIE_HOME']}".encode()
        while not self.over.wait(0.2):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    if b"isolated_child" not in (folder / "cmdline").read_bytes():
                        continue
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                    served = b"vigie_inference" in Path("/proc", parent, "cmdline").read_bytes()
                    mine = home in (folder / "environ").read_bytes().split(b"\0")
                    if served and mine and int(folder.name) != other_than:
                        return int(folder.name)
        return 0


# -- commands ---


def asked_json(command: Sequence[str], limit_s: float) -> Any:
    """What a command printed on stdout. Raises: ValueError: no JSON came; with the end of what it logged."""
    with tempfile.TemporaryFile("w+") as logged:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=logged, text=True, start_new_session=True)
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)  # its session is its own: nothing else is in that group
            process.communicate()
            raise
        logged.seek(0)
        log = logged.read()
    for text in (said, said.strip().rpartition("\n")[2]):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(text)
    raise ValueError(f"it ended with {process.returncode} and printed no JSON: {(log or said).strip()[-300:]}")


def nvidia_card() -> str:
    """Name, driver and memory of the first GPU; empty where there is none."""
    query = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    return words(*query).partition("\n")[0]


def words(*command: str) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


if __name__ == "__main__":
    raise SystemExit(main())
