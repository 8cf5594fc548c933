"""What each step of ``prove_gpu.sh`` must have found: functions of what the commands printed, facts in, findings out.

``gpu`` False is a dry run: the machine has no NVIDIA GPU, and then every request for one must be refused in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
Json = dict[str, Any]


def doctor_facts(found: Json) -> Json:
    hardware = found["hardware"]
    return {
        "devices": [f"{one['id']}: {one['name']}" for one in hardware["devices"]],
        "libraries": sorted(hardware["libraries"]),
        "packages": {one["name"]: one["version"] for one in hardware["packages"]},
        "tried": [f"{one['provider']}/{one['variant']}" for one in found["tried"]],
        "rejected": {one["provider"]: one["reason"] for one in found["rejected"] if one["provider"] in PROVIDERS},
    }


def doctor_findings(found: Json, *, gpu: bool) -> list[str]:
    """With a GPU both providers are offered; without one both are refused, and the reason names the GPU."""
    offered = {one["provider"] for one in found["tried"]} & PROVIDERS.keys()
    why = {one["provider"]: one["reason"] for one in found["rejected"] if not one["variant"]}
    if gpu:
        return [f"doctor does not offer {name}: {why.get(name, 'no reason')}" for name in PROVIDERS.keys() - offered]
    findings = [f"doctor offers {name} on a machine without a GPU" for name in sorted(offered)]
    silent = [name for name in PROVIDERS if "NVIDIA GPU" not in why.get(name, "")]
    return findings + [f"doctor does not say that {name} lacks an NVIDIA GPU" for name in silent]


def fallback_findings(raw: Json, engine: Json, *, gpu: bool) -> list[str]:
    """``raw``: what a bare session did. The engine must say the same as the session's own list, in either case."""
    if PROVIDERS["cuda"] not in raw["available"]:
        return [f"this ONNX Runtime has no CUDA ({', '.join(raw['available'])}): install the lock"]
    ran = raw["ran"][0]
    if gpu:
        return [] if ran == PROVIDERS["cuda"] else [f"a CUDA session ran on {ran}: the driver or a library is missing"]
    if ran == PROVIDERS["cuda"]:
        return ["a CUDA session opened on a machine without a GPU"]
    # The trap this step is for: the session fell back although fall-back is off.
    return _refusal(engine)


def opened_findings(found: Json, provider: str, *, gpu: bool) -> list[str]:
    if not gpu:
        return _refusal(found)
    if "error" in found:
        return [found["text"]]
    findings = []
    if found["provider"] != PROVIDERS[provider]:
        findings.append(f"asked for {provider}, {found['provider']} serves")
    if found["verdict"] != "full":
        findings.append(f"the proof says {found['verdict']}: {found['reason']}")
    if not found["apart"] <= 0.02 * found["span"]:
        findings.append(f"numbers differ by {found['apart']:g} where the largest is {found['span']:g}")
    return findings


def isolation_findings(found: Json, what: str, *, gpu: bool) -> list[str]:
    """A killed or hanging engine is an error of its own kind, and its process is gone."""
    if not gpu:
        return _refusal(found)
    expected = {"kill": "EngineDiedError", "hang": "EngineHungError"}[what]
    findings = [] if found["error"] == expected else [f"expected {expected}, got {found['error'] or found['text']}"]
    return findings + (["its process is still there"] if found.get("alive") else [])


def bench_facts(found: Json) -> Json:
    """One line per candidate: figures, agreement with the reference, what ran."""
    lines = {}
    for one in found["candidates"]:
        figures, parity, proof = one["figures"] or {}, one["parity"] or {}, one["proof"] or {}
        lines[one["candidate"]] = {
            **{
                name: figures.get(name)
                for name in ("p50_ms", "p95_ms", "per_s", "cpu_ms", "pss_mb", "load_s", "joules")
            },
            "agreement": parity.get("agreement"),
            "ran": proof.get("verdict"),
            "why_not": one["why_not"],
        }
    return {"model": found["model"], "chosen": found["chosen"], "candidates": lines}


def bench_findings(found: Json, *, gpu: bool) -> list[str]:
    if not gpu:
        chosen = found["chosen"] or ""
        return (
            [] if chosen and not chosen.startswith(tuple(PROVIDERS)) else [f"chosen without a GPU: {chosen or 'none'}"]
        )
    return list(_bench_with_gpu(found))


def _bench_with_gpu(found: Json) -> Iterator[str]:
    for name in PROVIDERS:
        mine = [one for one in found["candidates"] if one["candidate"].startswith(f"{name}:")]
        if not mine:
            yield f"nothing was measured on {name}"
        for one in mine:
            proof, parity = one["proof"], one["parity"]
            if one["figures"] is None:
                yield f"{one['candidate']}: {one['why_not'] or 'no figures'}"
            elif proof is None or proof["verdict"] != "full":
                yield f"{one['candidate']}: ran {proof['verdict'] if proof else 'unproven'}"
            elif parity is None or not parity["passed"]:
                yield f"{one['candidate']}: does not agree with the reference"


def up_findings(found: Json, *, gpu: bool, killed: bool, returned: bool) -> list[str]:
    """``killed``: the serving engine's process was killed under way; ``returned``: another one stood in afterwards."""
    findings = [] if found["frames_inferred"] > 0 and found["upstream_messages"] > 0 else ["no frame went through"]
    if gpu:
        served = (found.get("runtime") or {}).get("provider", "")
        if served not in PROVIDERS.values():
            findings.append(f"the GPU was required, {served or 'nothing'} served at the end")
        if not killed:
            findings.append("no engine's process was found to kill")
        elif not returned:
            findings.append("the killed engine was not replaced")
    return findings


def _refusal(found: Json) -> list[str]:
    """An engine without its hardware must be refused in words, never run."""
    if found.get("error") == "ProviderError" and found.get("text"):
        return []
    if "error" in found:
        return [f"refused as {found['error']}, expected ProviderError: {found.get('text', '')}"[:300]]
    return [f"it ran on {found.get('provider', 'something')} without a GPU"]
