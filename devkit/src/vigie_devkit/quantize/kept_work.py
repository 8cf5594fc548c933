"""Variants of a run that was interrupted: kept on disk, taken up again by the same command.

Everything that decides a variant is in the key: the model, every frame and its truth, the recipe, the budget, the
machine, and this code. Another frame or a new version of the kit begins afresh.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.samples import TensorSample
from vigie_devkit.quantize.sensitivity import Sensitivity
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.workbench import Workbench

RUNS_KEPT: Final = 3


class _Kept(msgspec.Struct, frozen=True):
    """``sensitivity``: of the layers, as the run knew it once the variant was built."""

    built: Built
    sensitivity: list[Sensitivity]


class KeptWork:
    """The variants of one run. Not for two runs at once: the second would only do the same work again."""

    def __init__(self, folder: Path, key: str) -> None:
        """``folder``: where runs are kept; older ones beyond a few are deleted."""
        self._folder = folder / key
        others = sorted(
            (run for run in folder.iterdir() if run.is_dir() and run != self._folder),
            key=lambda run: run.stat().st_mtime,
        )
        for run in others[: -(RUNS_KEPT - 1)]:
            shutil.rmtree(run, ignore_errors=True)

    def find(self, recipe: Recipe, bench: Workbench) -> Built | None:
        """What was built of ``recipe``, and into ``bench`` the layers' order; a damaged file counts as nothing."""
        try:
            kept = msgspec.msgpack.decode(self._file(recipe).read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None
        bench.sensitivity = bench.sensitivity or kept.sensitivity
        return replace(kept.built, recipe=recipe)

    def keep(self, built: Built, bench: Workbench) -> None:
        """Whole or not at all: the next moment may be the interruption. Raises: OSError: the disk is full."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(built.recipe)
        part = file.with_suffix(".part")
        part.write_bytes(msgspec.msgpack.encode(_Kept(built, bench.sensitivity)))
        part.replace(file)

    def forget(self) -> None:
        """The run is finished, its bundle written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, recipe: Recipe) -> Path:
        return self._folder / f"{hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]}.variant"


def work_key(bench: Workbench, model_digest: str, score_min: float) -> str:
    """A name for everything that decides the variants, as far as they are the same for every recipe."""
    data = hashlib.sha256()
    for part in (model_digest, repr(bench.budget), str(bench.machine), repr(score_min), repr(bench.overrides)):
        data.update(part.encode() + b"\0")
    for samples in (bench.calibration, bench.final.samples):
        data.update(b"frames\0")
        _add_samples(data, samples)
    for file in sorted(Path(__file__).parent.glob("*.py")):
        data.update(file.read_bytes())
    return data.hexdigest()[:32]


def _add_samples(data: hashlib._Hash, samples: Sequence[TensorSample]) -> None:
    for sample in samples:
        data.update(f"{sample.source}\0{sample.class_id}\0".encode())
        data.update(sample.tensor_hwc.tobytes())
        if sample.truth is not None:
            for array in (sample.truth.boxes_xyxy, sample.truth.class_ids, sample.truth.ignore):
                data.update(array.tobytes())
