"""``vigie models verify``: a bundle's checksums, then its reference frames on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models verify bundles/best"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "verify", "checksums and reference frames", EXAMPLE, _verify)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")


def _verify(args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import find_on_shelf
    from vigie_devkit.models.verify import verify_bundle

    for line in verify_bundle(find_on_shelf(args.bundle)):
        show_text(line)
    return 0
