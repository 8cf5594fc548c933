"""Releases of a tiny model for the inference module in memory, and its twin's account of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import numpy_helper

from support.inference import Bench
from support.inference import picture as random_picture
from support.modules import until
from vigie_devkit.models.shelf import export_bundle

HW = (64, 96)
# Times of a busy machine say nothing of a model that takes a millisecond; being slower has tests of its own.
TRIAL = {"frames": 6, "objects": 1, "share": 1.0, "probation_s": 0.0, "cpu_max": 1.0, "slower_max": 1000}
# How candidates are measured has tests of its own.
UNMEASURED = {"measure": "off"}


def archive(bundle: Path, folder: Path, version: str, **card: Any) -> bytes:
    """The bundle as another version of it, zipped as ``models export`` does."""
    copy = folder / f"v{version}"
    copy.mkdir(parents=True)
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    facts = yaml.safe_load((copy / "card.yaml").read_text(encoding="utf-8"))
    facts.update(version=version, **card)
    (copy / "card.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    return export_bundle(copy, folder / f"{version}.zip").read_bytes()


def release(url: str, content: bytes, version: str, **rollout: Any) -> dict[str, Any]:
    return {
        "version": version,
        "source": f"{url}/parts.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "rollout": {**TRIAL, **rollout},
    }


def state(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.reported().get("update_state") or {}
    return found


async def until_phase(bench: Bench, *phases: str, timeout_s: float = 60) -> dict[str, Any]:
    return await until(
        lambda: found if (found := state(bench)).get("phase") in phases else None,
        timeout_s=timeout_s,
        what=f"{phases}, is {state(bench)}",
    )


async def frames_for_both(bench: Bench, serving: str, count: int = 8) -> None:
    """Each frame once for the serving model and once for the one on trial, as preprocess sends them."""
    spec = await until(lambda: next((one for one in reversed(bench.specs()) if one.also), None), timeout_s=60)
    for number in range(count):
        tensor = random_picture(number, HW)
        seq = bench.send(tensor, serving)
        bench.send(tensor, spec.also[0].version, trial=True)
        await until(lambda seq=seq: any(item.seq == seq for item in bench.results()), timeout_s=60)


def with_nan(folder: Path) -> None:
    """Weights that are no numbers, under the hash that the card then names: what a broken training run leaves."""
    facts = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))
    for variant in facts["variants"].values():
        file = folder / variant["file"]
        model = onnx.load(file)
        for weight in model.graph.initializer:
            values = numpy_helper.to_array(weight)
            if values.dtype == np.float32 and values.ndim == 4:
                weight.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), weight.name))
        file.write_bytes(model.SerializeToString())
        variant["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "card.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
