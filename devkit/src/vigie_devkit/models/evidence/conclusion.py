"""What was concluded about a file, and from what: printed by import, kept in the card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conclusion:
    """``question`` (channels, range, fit, boxes, labels, trial), its ``answer``, and ``because``: the evidence."""

    question: str
    answer: str
    because: str

    def __str__(self) -> str:
        return f"{self.question}: {self.answer}, because {self.because}"
