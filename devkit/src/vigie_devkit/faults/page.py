"""docs/reliability.md: what breaks, what is promised, what was measured, what an operator sees, what others promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.trial import Result

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def table(faults: Mapping[str, Fault], results: Sequence[Result], machine: str, day: date, seed: int) -> str:
    """The table with a line on how it was made."""
    kept = sum(result.kept for result in results)
    lines = [
        f"Made by `./vigie faults --seed {seed}` on {day.isoformat()} ({machine}).",
        f"{kept} of {len(results)} promises kept.",
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


def put_into(page: str, made: str) -> str:
    """``page`` with the table between its marks replaced. Raises: ValueError: it has no marks."""
    head, found, rest = page.partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}, between which the table goes")
    return f"{head}{BEGIN}\n{made}{END}{tail}"
