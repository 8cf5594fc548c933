"""`vigie manifest`: tools around deployment.template.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import CHECKOUT

_EXAMPLES = """examples:
  ./vigie manifest compose            compose.yaml, generated from deployment.template.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "manifest",
        help="render, check and explain the deployment manifest",
        description="Tools around deployment.template.json, the one manifest (docs/manifest.md).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="compose", required=True)
    compose = _verb(verbs, "compose", "generate compose.yaml from the manifest", "./vigie manifest compose --check")
    compose.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: compose.yaml beside the template")
    compose.add_argument("--check", action="store_true", help="write nothing; fail if the file is not what it would be")
    compose.set_defaults(handler=_compose)


def _verb(verbs: Any, name: str, text: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _compose(args: argparse.Namespace) -> int:
    from vigie_devkit.manifest.compose import compose_text
    from vigie_devkit.manifest.images import module_files

    output: Path = args.output or CHECKOUT / "compose.yaml"
    content = json.loads((CHECKOUT / "deployment.template.json").read_text(encoding="utf-8"))
    text = compose_text(content, module_files(CHECKOUT / "modules"))
    if args.check:
        current = output.read_text(encoding="utf-8") if output.is_file() else ""
        if current != text:
            sys.stderr.write(f"vigie: {output} is not what the manifest says; run ./vigie manifest compose\n")
            return 1
        return Exit.OK
    output.write_text(text, encoding="utf-8")
    print(output)
    return Exit.OK
