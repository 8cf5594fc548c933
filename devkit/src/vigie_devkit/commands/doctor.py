"""``vigie doctor``: the hardware, what would run a model on it, why not the rest, and how to get more."""

from __future__ import annotations

import argparse
from typing import Any

EXAMPLES = """examples:
  ./vigie doctor                        for the detector that ships
  ./vigie doctor yolox_nano             for a bundle by name or folder
  ./vigie doctor --json                 for programs
  docker exec inference python -m vigie.runtimes.doctor        inside a module's container, which sees less
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="the hardware, what would run a model on it, and why not the rest",
        description="Look at the hardware and at the runtimes; nothing is measured and nothing is changed.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "bundle", nargs="?", default="conveyor-parts", help="a bundle folder or a name from 'models list'"
    )
    parser.add_argument("--json", action="store_true", help="one object for programs")
    parser.set_defaults(handler=doctor)


def doctor(args: argparse.Namespace) -> int:
    from vigie.models import load_bundle
    from vigie.private_files import keep_files_private
    from vigie.runtimes.doctor import diagnose, show_diagnosis
    from vigie_devkit.local.ownership import claim_part
    from vigie_devkit.local.paths import home_folder
    from vigie_devkit.models.shelf import find_on_shelf

    keep_files_private()
    bundle = load_bundle(find_on_shelf(args.bundle))
    show_diagnosis(diagnose(bundle, claim_part(home_folder(), "runtimes")), as_json=args.json)
    if not args.json:
        print(f"\nmeasure them: ./vigie models bench {args.bundle}")
    return 0
