"""The curve of a search: how accuracy, size and speed go with the layers that stay float."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from vigie_devkit.quantize.clipping import Method
from vigie_devkit.quantize.mix import mix_bytes
from vigie_devkit.quantize.progress import bar
from vigie_devkit.quantize.report import Point
from vigie_devkit.quantize.samples import spread
from vigie_devkit.quantize.search import MixTrial
from vigie_devkit.quantize.speed import time_files
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.workbench import Workbench

TIMED_MAX = 5


def untimed(trials: Sequence[MixTrial]) -> tuple[Point, ...]:
    """In the order of float layers; several mixes of one size stay several points."""
    return tuple(_point(trial) for trial in _ordered(trials))


def timed_curve(bench: Workbench, built: Built, folder: Path, rounds: int) -> tuple[Point, ...]:
    """The curve of a refused variant: a few of its mixes are written and timed with one thread, so that whoever reads
    the refusal can choose another budget with open eyes.
    """
    trials = _ordered(built.trials)
    picked = spread(trials, TIMED_MAX)
    files: dict[str, Path] = {}
    for trial in picked:
        file = folder / f"{built.recipe.name}-{len(trial.float_layers)}.onnx"
        file.write_bytes(mix_bytes(bench, built.recipe, cast("Method", built.method), trial.float_layers))
        files[str(len(trial.float_layers))] = file
    with bar(f"{built.recipe.name}: timing its curve", len(files) * rounds) as step:
        times = time_files(files, threads=1, rounds=rounds, step=step)
    return tuple(
        _point(
            trial,
            size_bytes=files[str(len(trial.float_layers))].stat().st_size,
            cpu_ms=times[str(len(trial.float_layers))].cpu_ms,
        )
        if trial in picked
        else _point(trial)
        for trial in trials
    )


def _ordered(trials: Sequence[MixTrial]) -> list[MixTrial]:
    return sorted(trials, key=lambda trial: (len(trial.float_layers), -trial.score.headline))


def _point(trial: MixTrial, *, size_bytes: int | None = None, cpu_ms: float | None = None) -> Point:
    return Point(
        float_layers=len(trial.float_layers),
        integer_share=trial.integer_share,
        headline=trial.score.headline,
        allowed=trial.allowed,
        size_bytes=size_bytes,
        cpu_ms=cpu_ms,
    )
