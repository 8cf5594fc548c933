"""Mutants that change nothing anybody could see, with the reason: the file, the line, what it becomes."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
