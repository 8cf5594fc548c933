"""`vigie manifest compose`: compose.yaml from the manifest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vigie_devkit.commands.manifest.parsing import MODULES, TEMPLATE, read_json
from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.verb import add_verb_parser


def add_verb(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs, "compose", "generate compose.yaml from the manifest", "./vigie manifest compose --check", run
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: compose.yaml beside the template")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not what it would be")


def run(args: argparse.Namespace) -> int:
    from vigie_devkit.manifest.compose import compose_text
    from vigie_devkit.manifest.images import module_files

    output: Path = args.output or CHECKOUT / "compose.yaml"
    text = compose_text(read_json(TEMPLATE), module_files(MODULES))
    if args.check:
        current = output.read_text(encoding="utf-8") if output.is_file() else ""
        if current != text:
            sys.stderr.write(f"vigie: {output} is not what the manifest says; run ./vigie manifest compose\n")
            return 1
        return Exit.OK
    output.write_text(text, encoding="utf-8")
    print(output)
    return Exit.OK
