"""docs/reliability.md: what breaks, what is promised, what was measured, what an operator sees, what others promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.trial import Result

PROCESSES, CONTAINERS = "faults", "container faults"
"""The page's two tables, as their marks name them."""


def made_by(command: str, machine: str, day: date) -> str:
    """The line above a table."""
    return f"Made by `{command}` on {day.isoformat()} ({machine})."


def table(faults: Mapping[str, Fault], results: Sequence[Result], made: str, notes: Sequence[str] = ()) -> str:
    """The table below the line on how it was ``made`` and ``notes`` on what was not tried."""
    kept = sum(result.kept for result in results)
    lines = [
        made,
        f"{kept} of {len(results)} promises kept.",
        *(f"{note[:1].upper()}{note[1:]}." for note in notes),
        "",
        "| fault | flow back: promised | measured | lost, twice, out of order | what an operator sees | others |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        fault = faults[result.fault]
        measured = "not back" if result.back_s is None else f"{result.back_s:g} s"
        if not result.kept:
            measured += f"; **not kept**: {'; '.join(result.unmet)}"
        seen = "; ".join(sign.words() for sign in fault.signs) or "nothing: it heals by itself"
        counts = f"{result.lost}, {result.twice}, {result.unordered}"
        cells = (fault.what, f"{fault.back_within_s:g} s", measured, counts, seen, fault.peers)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def marks(which: str) -> tuple[str, str]:
    """The lines of a page between which a table goes."""
    return f"<!-- {which}: begin -->", f"<!-- {which}: end -->"


def put_into(page: str, made: str, which: str = PROCESSES) -> str:
    """``page`` with the table between its marks replaced. Raises: ValueError: it has no marks."""
    begin, end = marks(which)
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks the marks {begin} and {end}, between which the table goes")
    return f"{head}{begin}\n{made}{end}{tail}"
