"""``vigie models export``: a verified bundle as one zip, as the repository of an inference server, or its scales."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.verb import add_verb_parser

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
    verb.add_argument("--variant", help="the variant that --for and --encodings take (default: the first that fits)")
    verb.add_argument(
        "--encodings",
        type=Path,
        metavar="FILE",
        help="a variant's scales for other tools, in place of a zip: AIMET's form, QNN's quantization_overrides",
    )


def _export(args: argparse.Namespace) -> int:
    import hashlib

    from vigie.models import load_bundle
    from vigie_devkit.models.shelf import export_bundle, find_on_shelf

    folder = find_on_shelf(args.bundle)
    if args.encodings:
        from vigie_devkit.quantize.encodings_written import write_encodings

        written = write_encodings(load_bundle(folder), args.variant, args.encodings)
        counts = [len(written.tree[part]) for part in ("activation_encodings", "param_encodings")]
        print(f"{args.encodings}\n  activations {counts[0]}\n  weights     {counts[1]}")
        if written.left_out:
            print(f"  left out    {len(written.left_out)}, of other widths: {', '.join(written.left_out[:8])}")
        return 0
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
