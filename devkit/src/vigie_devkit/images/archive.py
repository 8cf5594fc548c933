"""Images as one file, for a device or an engine that reaches no registry."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vigie_devkit.images.engine import ContainerEngine, last_line
from vigie_devkit.images.errors import EngineCommandError, NotBuiltError
from vigie_devkit.local.errors import StateFolderError


def save(engine: ContainerEngine, references: Sequence[str], target: Path) -> int:
    """Write the images to ``target``, compressed; layers that they share once. Returns: bytes written.

    Raises: NotBuiltError, EngineCommandError, StateFolderError.
    """
    for reference in references:
        if engine.image(reference) is None:
            raise NotBuiltError(reference)
    words = [engine.program, "save", *references]
    unfinished = target.with_name(target.name + ".part")
    try:
        with (
            subprocess.Popen(words, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as saving,
            gzip.open(unfinished, "wb", compresslevel=6) as file,
        ):
            assert saving.stdout is not None  # noqa: S101 - it was asked for
            assert saving.stderr is not None  # noqa: S101 - likewise
            shutil.copyfileobj(saving.stdout, file, 1 << 20)
            said = saving.stderr.read().decode("utf-8", "replace")
        if saving.returncode != 0:
            unfinished.unlink(missing_ok=True)
            raise EngineCommandError(words[:2], last_line(said))
        unfinished.replace(target)
    except OSError as error:
        raise StateFolderError(target.parent, error) from error
    return target.stat().st_size


def load(engine: ContainerEngine, source: Path) -> list[str]:
    """Load what `save` wrote. Returns: the references. Raises: EngineCommandError."""
    said = engine.ask("load", "--input", str(source))
    return [line.partition(": ")[2] for line in said.splitlines() if line.startswith("Loaded image: ")]
