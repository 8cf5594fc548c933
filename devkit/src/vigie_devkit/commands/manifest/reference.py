"""`vigie manifest reference`: docs/reference.md, docs/metrics.md, docs/schemas and docs/dtdl, generated."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.verb import add_verb_parser


def add_verb(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs,
        "reference",
        "generate docs/reference.md, docs/metrics.md, the JSON Schemas in docs/schemas and the models in docs/dtdl",
        "./vigie manifest reference --check",
        run,
    )
    parser.add_argument("--docs", type=Path, metavar="DIR", default=CHECKOUT / "docs", help="default: docs")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not what it would be")


def run(args: argparse.Namespace) -> int:
    from vigie_devkit.manifest.reference import drift, reference_files

    wanted = reference_files()
    folder: Path = args.docs
    made = [
        folder / "reference.md",
        folder / "metrics.md",
        *sorted([*folder.glob("schemas/*.json"), *folder.glob("dtdl/*.json")]),
    ]
    current: dict[str, str | None] = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in made if path.is_file()
    }
    changed = drift(current, wanted)
    if args.check:
        if changed:
            sys.stderr.write(f"vigie: not current: {', '.join(changed)}; run ./vigie manifest reference\n")
        return 1 if changed else Exit.OK
    for part in ("schemas", "dtdl"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
        print(folder / name)
    return Exit.OK
