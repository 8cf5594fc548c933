"""``vigie models sign``: vouch for a bundle with a private key."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models sign bundles/best --key release.pem"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "sign", "sign a verified bundle (Ed25519)", EXAMPLE, _sign)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument("--key", type=Path, required=True, help="the private key: a PEM file with mode 0600")


def _sign(args: argparse.Namespace) -> int:
    from vigie_devkit.models.keys import read_private, sign_bundle
    from vigie_devkit.models.shelf import find_on_shelf

    folder = find_on_shelf(args.bundle)
    signature = sign_bundle(folder, read_private(args.key))
    print(f"{folder}: signed with key {signature.key} at {signature.signed_at:%Y-%m-%dT%H:%M:%SZ}")
    return 0
