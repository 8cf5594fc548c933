"""``vigie soak``: the whole system for hours under random faults; does anything grow?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie_devkit.local.errors import Exit, UsageError

if TYPE_CHECKING:
    from vigie_devkit.faults.fault import Fault

EXAMPLES = """examples:
  ./vigie soak --hours 2 --seed 3                    Ctrl-C ends it early, with the report
  ./vigie soak --hours 8 --output soak.md
  ./vigie soak --repeat 15 --only hub-drops          one fault again and again: what does it leave behind?

exit codes: 0 nothing grows and every promise was kept, 1 otherwise, 2 the command line is wrong
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "soak",
        help="run the system for hours under random faults and see whether anything grows",
        description="Run the whole system under random faults of './vigie faults', and report the slopes of memory, "
        "threads, handles, disk and rings of every process.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--hours", type=hours, default=2.0, metavar="N", help="how long (default: 2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn by chance (default: 1)")
    parser.add_argument(
        "--repeat", type=int, metavar="N", help="instead of hours: each fault N times on a running system (at least 6)"
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this fault, or all that begin so")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there, too")
    parser.set_defaults(handler=soak_command)


def hours(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"expected more than 0 and at most 1000, got {text}")
    return value


def soak_command(args: argparse.Namespace) -> int:
    from vigie_devkit.faults.machine import machine_in_words
    from vigie_devkit.faults.slopes import describe, slopes
    from vigie_devkit.faults.soak import drawn, soak

    chosen = [one for one in drawn() if not args.only or one.name.startswith(tuple(args.only))]
    if not chosen:
        raise UsageError(f"no fault of the soak is named {args.only[0]!r}; see: ./vigie faults --list")
    if args.repeat is not None:
        return _repeat(chosen, args)
    done = soak(args.hours, args.seed, _tell, chosen)
    found = slopes(done.samples)
    tried = ", ".join(f"{name} {count}" for name, count in sorted(done.tried().items())) or "none"
    report = "\n".join(
        [
            f"{done.seconds / 3600:.2f} hours, seed {args.seed}, {machine_in_words()}.",
            f"{len(done.results)} faults, {len(done.not_kept())} promises not kept; {len(done.samples)} samples.",
            "",
            describe(found),
            f"faults tried: {tried}",
            *(f"not kept: {one.fault}: {'; '.join(one.unmet)}" for one in done.not_kept()),
            "",
        ]
    )
    sys.stdout.write(report)
    if args.output is not None:
        args.output.write_text(report, encoding="utf-8")
    return Exit.OK if not done.not_kept() and not any(one.grows for one in found) else Exit.NO_FLOW


def _tell(line: str) -> None:
    sys.stderr.write(f"soak: {line}\n")
    sys.stderr.flush()


def _repeat(faults: Sequence[Fault], args: argparse.Namespace) -> int:
    from vigie_devkit.faults.growth import HEAD, READINGS_MIN, describe_growth, growths
    from vigie_devkit.faults.machine import machine_in_words
    from vigie_devkit.faults.repeats import repeat

    if args.repeat < READINGS_MIN:
        raise UsageError(f"--repeat: expected at least {READINGS_MIN}, got {args.repeat}")
    lines = [f"Each fault {args.repeat} times, seed {args.seed}, {machine_in_words()}.", "", HEAD]
    well = True
    for done in repeat(faults, args.repeat, args.seed, _tell):
        found = growths(done.readings)
        lines.append(describe_growth(done.fault.name, found))
        _tell(lines[-1])
        well = well and not any(one.grows for one in found) and all(one.kept for one in done.results)
        if args.output is not None:
            args.output.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))
    return Exit.OK if well else Exit.NO_FLOW
