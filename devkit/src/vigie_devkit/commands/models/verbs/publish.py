"""``vigie models publish``: a verified bundle as one zip into Azure Blob Storage."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models publish conveyor-parts https://ACCOUNT.blob.core.windows.net/models/parts-2.zip --sas FILE"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "publish", "upload a bundle to Azure Blob Storage, as one zip", EXAMPLE, _publish)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument("url", help="URL of the blob to write: https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.zip")
    verb.add_argument(
        "--sas", type=Path, required=True, metavar="FILE", help="a file with a shared access signature that may create"
    )


def _publish(args: argparse.Namespace) -> int:
    from vigie.models import load_bundle
    from vigie_devkit.models.publish import publish
    from vigie_devkit.models.shelf import find_on_shelf

    bundle = load_bundle(find_on_shelf(args.bundle))
    published = publish(bundle.folder, args.url, args.sas.read_text(encoding="utf-8").strip())
    print(args.url)
    # What desired property "models" asks for (docs/model-updates.md).
    print(f"  version    {bundle.card.version}\n  sha256     {published.sha256}\n  size       {published.size}")
    return 0
