"""``vigie soak``: the whole system for hours under random faults; does anything grow?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import Exit

EXAMPLES = """examples:
  ./vigie soak --hours 2 --seed 3                    Ctrl-C ends it early, with the report
  ./vigie soak --hours 8 --output soak.md

exit codes: 0 nothing grows and every promise was kept, 1 otherwise, 2 the command line is wrong
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "soak",
        help="run the system for hours under random faults and see whether anything grows",
        description="Run the whole system under random faults of './vigie faults', and report the slopes of memory, "
        "threads, handles, disk and rings of every process.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hours", type=hours, default=2.0, metavar="N", help="how long (default: 2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn by chance (default: 1)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there, too")
    parser.set_defaults(handler=soak_command)


def hours(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"expected more than 0 and at most 1000, got {text}")
    return value


def soak_command(args: argparse.Namespace) -> int:
    import sys

    from vigie_devkit.faults.machine import machine_in_words
    from vigie_devkit.faults.slopes import describe, slopes
    from vigie_devkit.faults.soak import soak

    def tell(line: str) -> None:
        sys.stderr.write(f"soak: {line}\n")
        sys.stderr.flush()

    done = soak(args.hours, args.seed, tell)
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
