"""What the outside of an ONNX graph says: inputs, outputs, metadata. Recognition looks at nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from vigie_devkit.models.evidence.stem import Stem

# Ultralytics writes its names as the text of a Python dict; 80 names take 1.5 kB.
_LITERAL_CHARS_MAX = 64 << 10


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: ``shape`` with -1 where it is not fixed, ``dtype`` as NumPy names it."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Signature:
    """The outside of a model.

    ``outputs``: with the shapes of a real run (-1 where the picture decides). ``probe``: what that run gave, by
    name, where values tell what shapes cannot. ``labels``: class names that are known already: told by the user,
    else embedded in the file. ``unread_names``: the file names its classes, but not as a list from 0. ``stem``: its
    first layers. ``asked``: the family that the user named. ``anomaly``: thresholds of Anomalib, by its own
    names, from the file or the ``metadata.json`` beside it.
    """

    file: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    producer: str = ""
    probe: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    unread_names: str = ""
    stem: Stem = field(default_factory=Stem)
    asked: str | None = None
    anomaly: dict[str, float] = field(default_factory=dict)

    @property
    def image(self) -> Port:
        """The first input of rank 4 (or 3 for models without a batch): where the picture goes in."""
        return next((port for port in self.inputs if len(port.shape) == 4), self.inputs[0])

    @property
    def nhwc(self) -> bool:
        shape = self.image.shape
        return len(shape) == 4 and shape[3] == 3 and shape[1] != 3

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the picture."""
        shape = self.image.shape
        return (shape[1], shape[2]) if self.nhwc else (shape[-2], shape[-1])

    @property
    def label_count(self) -> int | None:
        return None if self.labels is None else len(self.labels)

    @property
    def task(self) -> str | None:
        """Ultralytics' task (detect, segment, ..); ``None`` for other exports."""
        return self.metadata.get("task") if "names" in self.metadata else None

    def output(self, name: str) -> Port | None:
        return next((port for port in self.outputs if port.name == name), None)

    def anchors(self, strides: tuple[int, ...] = (8, 16, 32)) -> int:
        """Grid cells over all strides, sides rounded up."""
        height, width = self.input_hw
        return sum(-(-height // stride) * -(-width // stride) for stride in strides)


def read_literal(text: str) -> Any:
    """A bounded ``ast.literal_eval`` of metadata text; ``None`` if it is no plain literal."""
    if len(text) > _LITERAL_CHARS_MAX:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def too_few_names(signature: Signature, count: int) -> str:
    """Why the names in the metadata do not name ``count`` classes; empty where they do, or it has no names."""
    have = metadata_labels(signature.metadata)
    return (
        "" if have is None or len(have) == count else f"its metadata name {len(have)} classes, its output has {count}"
    )


def metadata_labels(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Class names in ``names``: ``{0: 'person', ..}``, as JSON ``{"0": "person", ..}``, or a list; else ``None``."""
    names = _numbered(metadata)
    if isinstance(names, dict):
        if not names or set(names) != set(range(len(names))):
            return None
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list | tuple) or not names:
        return None
    return tuple(str(name)[:200] for name in names)


def _numbered(metadata: Mapping[str, str]) -> Any:
    """The literal in ``names``; where its keys are numbers written as text, which is all that JSON has, as numbers."""
    names = read_literal(metadata.get("names", ""))
    if isinstance(names, dict) and names and all(isinstance(key, str) for key in names):
        numbers = {str(number): number for number in range(len(names) + 1)}
        if set(names) <= set(numbers):
            return {numbers[key]: name for key, name in names.items()}
    return names


def unread_names(metadata: Mapping[str, str]) -> str:
    """Why class names in the metadata are not taken; empty where they are, or the metadata has no names."""
    text = metadata.get("names", "")
    if not text or metadata_labels(metadata) is not None:
        return ""
    names = _numbered(metadata)
    if isinstance(names, dict) and names and set(names) == set(range(1, len(names) + 1)):
        return f"its metadata number {len(names)} classes from 1, and class ids count from 0"
    return f"its metadata name classes, but not as a list from 0: {text[:60]!r}"
