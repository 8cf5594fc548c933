"""What every decoder is: built from facts of a card, with one shape check at its edge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import DecodeError
from vigie.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class DecoderFacts:
    """The facts of a card that decoders need. ``input_hw`` in pixels; ``output_shapes`` in graph order, -1 where the
    picture decides how many.
    """

    model: str
    input_hw: tuple[int, int]
    class_count: int
    output_shapes: tuple[tuple[int, ...], ...]

    @property
    def whole_xyxy(self) -> NDArray[np.float32]:
        """(4,): the box of the whole tensor."""
        return np.array([0, 0, *self.input_hw[::-1]], np.float32)

    @property
    def sides_whwh(self) -> NDArray[np.float32]:
        """(4,): what makes pixels of shares of the tensor's sides."""
        return np.array(self.input_hw[::-1] * 2, np.float32)

    def expect(self, outputs: Sequence[NDArray[Any]]) -> None:
        """Refuse outputs of another shape than the card's; costs a tuple comparison a run.

        Raises: DecodeError
        """
        shapes = tuple(output.shape for output in outputs)
        if shapes != self.output_shapes and not self._fits_open(shapes):
            raise DecodeError(self.model, expected=self.output_shapes, got=shapes)

    def _fits_open(self, shapes: tuple[tuple[int, ...], ...]) -> bool:
        """Whether the shapes differ only where the card leaves them open."""
        return len(shapes) == len(self.output_shapes) and all(
            len(want) == len(have) and all(w in {-1, h} for w, h in zip(want, have, strict=True))
            for want, have in zip(self.output_shapes, shapes, strict=True)
        )

    def require(self, *expected: tuple[int | None, ...]) -> None:
        """Check the card's own output shapes against what the family produces; ``None`` = any length.

        Raises: ValueError: with both shapes.
        """
        fits = len(expected) == len(self.output_shapes) and all(
            len(want) == len(have) and all(w is None or w == h for w, h in zip(want, have, strict=True))
            for want, have in zip(expected, self.output_shapes, strict=True)
        )
        if not fits:
            wanted = ", ".join(_show(shape) for shape in expected)
            had = ", ".join(_show(shape) for shape in self.output_shapes)
            raise ValueError(
                f"this family needs outputs {wanted} for input {self.input_hw[0]}x{self.input_hw[1]} and "
                f"{self.class_count} labels, the card has {had or 'none'}"
            )


@dataclass(frozen=True, slots=True)
class Cut:
    """What of an answer is kept: scores of ``score_min`` or above; overlaps up to ``iou_max`` (see ``nms``);
    ``classes``: class ids, ``None`` = all.
    """

    score_min: float
    iou_max: float
    classes: Collection[int] | None


class Decoder(ABC):
    """Turns the raw outputs of one model into detections; holds its grids, keeps no outputs, never changes them."""

    _facts: DecoderFacts

    def __call__(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        score_min: float,
        iou_max: float,
        classes: Collection[int] | None = None,
    ) -> Detections:
        """Decode the outputs of one run, in the order of the graph.

        Args: as in ``Cut``; families whose graph already suppresses ignore ``iou_max``.
        Raises: DecodeError: an output has another shape than the card promises.
        """
        self._facts.expect(outputs)
        return self.decode(outputs, Cut(score_min, iou_max, classes))

    @abstractmethod
    def decode(self, outputs: Sequence[NDArray[Any]], cut: Cut) -> Detections:
        """The family's own part: ``outputs`` have the shapes of the facts."""


def _show(shape: tuple[int | None, ...]) -> str:
    return "[" + ",".join("?" if side is None else str(side) for side in shape) + "]"
