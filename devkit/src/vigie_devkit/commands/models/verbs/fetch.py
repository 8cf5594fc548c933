"""``vigie models fetch``: a model of a catalogue, downloaded, verified, then unpacked or imported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import say
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models fetch best --catalogue models.yaml"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "fetch", "download a model of a catalogue", EXAMPLE, _fetch)
    verb.add_argument("name", help="name of the model in the catalogue")
    verb.add_argument("--catalogue", type=Path, help="a YAML file of URL, sha256, size and licence (docs/models.md)")
    verb.add_argument("--output", type=Path, help="the bundle's folder (default: in the state folder, by name)")


def _fetch(args: argparse.Namespace) -> int:
    from vigie_devkit.local.ownership import claim_part
    from vigie_devkit.local.paths import home_folder
    from vigie_devkit.models.catalogue import SHIPPED, find_entry
    from vigie_devkit.models.fetch import fetch_bundle
    from vigie_devkit.models.shelf import shelf_folder, summary

    entry = find_entry(args.name, args.catalogue or SHIPPED)
    target = args.output or shelf_folder() / args.name
    folder = fetch_bundle(args.name, entry, target, claim_part(home_folder(), "downloads"), say)
    show_text(summary(folder))
    print(f"  next       ./vigie up --model {folder}")
    return 0
