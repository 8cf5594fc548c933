"""What a run of ``vigie models quantize`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vigie_devkit.quantize.judge import Budget
from vigie_devkit.quantize.recipes import Target


@dataclass(frozen=True, slots=True)
class QuantizeRequest:
    """What to quantize. ``judge``: other sources to judge on; none: frames of ``calibrate`` that are held back.

    ``kept_work``: a folder for what an interrupted run had built; ``None``: it is lost.
    ``score_min``: detections above count for agreement; ``None``: the card's. ``rounds``: child processes per file.
    """

    bundle: Path
    calibrate: tuple[str, ...]
    output: Path
    targets: tuple[Target, ...]
    judge: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    frames: int = 64
    judge_frames: int = 128
    score_min: float | None = None
    encodings: Path | None = None
    rounds: int = 3
    kept_work: Path | None = None
