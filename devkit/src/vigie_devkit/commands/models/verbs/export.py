"""``vigie models export``: a verified bundle as one zip, or as the repository of an inference server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.commands.models.arguments import add_verb_parser

EXAMPLE = "./vigie models export bundles/best --output best.zip"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(
        verbs, "export", "pack a bundle into one zip, or lay it out for an inference server", EXAMPLE, _export
    )
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument(
        "--output", type=Path, help="the archive (default: NAME-VERSION.zip here), or the repository (default: models)"
    )
    verb.add_argument("--for", dest="server", choices=("triton", "ovms"), help="a model repository in place of a zip")
    verb.add_argument("--variant", help="with --for: which variant the server runs (default: the first)")


def _export(args: argparse.Namespace) -> int:
    import hashlib

    from vigie.models import load_bundle
    from vigie_devkit.models.shelf import export_bundle, find_on_shelf

    folder = find_on_shelf(args.bundle)
    if args.server:
        from vigie_devkit.models.repository import write_repository

        print(write_repository(load_bundle(folder), args.variant, args.server, args.output or Path("models")))
        return 0
    archive = export_bundle(folder, args.output)
    with archive.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    print(archive)
    # What desired property "models" asks for (docs/model-updates.md).
    print(
        f"  version    {load_bundle(folder).card.version}\n  sha256     {digest}\n  size       {archive.stat().st_size}"
    )
    return 0
