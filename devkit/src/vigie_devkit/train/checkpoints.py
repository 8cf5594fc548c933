"""The network after every epoch, as files that `models import` takes."""

from __future__ import annotations

from pathlib import Path

from vigie_devkit.train.export import to_onnx
from vigie_devkit.train.loop import Progress


def keep_checkpoint(folder: Path, progress: Progress, size_hw: tuple[int, int], labels: list[str]) -> Path:
    """Write ``epoch-NNN.onnx``, whole or not at all: training may be stopped at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"epoch-{progress.epoch:03}.onnx"
    part = file.with_suffix(".part")
    part.write_bytes(to_onnx(progress.network, size_hw, labels).SerializeToString())
    return part.replace(file)
