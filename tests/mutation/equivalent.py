"""Mutants that change nothing anybody could see, with the reason: the file, the line, what it becomes."""

from __future__ import annotations

_WINDOW = "shared/src/vigie/messaging/window.py"
_STATE = "devkit/edgehub/src/vigie_edgehub/state"
_VISION = "shared/src/vigie/vision"
_SLOTS = "slots only save memory: nothing assigns another attribute"
_CLOCK = "the clock is monotonic and never below 0, so 0 is the least of all either way"
_TYPES = "a Protocol is for the type checker; nothing runs it"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (_WINDOW, "@dataclass(slots=True)", "@dataclass(slots=False)"): _SLOTS,
    (_WINDOW, "_progress_at: float = 0.0", "_progress_at: float = -1.0"): _CLOCK,
    (
        _WINDOW,
        "return max(oldest.acknowledged_at or 0.0, self._progress_at) + patience",
        "return max(oldest.acknowledged_at or -1.0, self._progress_at) + patience",
    ): _CLOCK,
    ("shared/src/vigie/messaging/reorder.py", "@dataclass(slots=True)", "@dataclass(slots=False)"): _SLOTS,
    (
        "shared/src/vigie/ledger/erasure.py",
        "@dataclass(frozen=True, slots=True)",
        "@dataclass(frozen=True, slots=False)",
    ): _SLOTS,
    (f"{_STATE}/intake.py", "@property", "def priority(self) -> int: ..."): _TYPES,
    (f"{_STATE}/intake.py", "@property", ""): _TYPES,
    (
        f"{_STATE}/methods.py",
        "self.absent_at = 0.0",
        "self.absent_at = 1.0",
    ): "it is set before it is read, in the one place that reads it",
    (
        f"{_VISION}/decoders/oriented.py",
        "rows = outputs[0][0]",
        "rows = outputs[0][ -1]",
    ): "the card's shape has been checked: the batch is 1, the first is the last",
}
