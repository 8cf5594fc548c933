"""`vigie manifest`: tools around deployment.template.json; each verb is a file beside this."""

from __future__ import annotations

import argparse
import importlib

_EXAMPLES = """examples:
  ./vigie manifest lint                                        what the cloud accepts and the device refuses
  ./vigie manifest render --platform amd64 --registry r.example.com -o deployment.json
  ./vigie manifest route /messages/modules/sync/outputs/telemetry
  ./vigie manifest compose                                     compose.yaml, generated from the manifest
  ./vigie manifest reference                                   docs/reference.md and docs/schemas, from the types

exit codes: 0 done, 1 findings (or a generated file that is not current), 2 the manifest or the command line is wrong
"""
VERBS = ("render", "lint", "route", "compose", "reference")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "manifest",
        help="render, check and explain the deployment manifest",
        description="Tools around deployment.template.json, the one manifest (docs/manifest.md).",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="|".join(VERBS), required=True)
    for name in VERBS:
        importlib.import_module(f"vigie_devkit.commands.manifest.{name}").add_verb(verbs)
