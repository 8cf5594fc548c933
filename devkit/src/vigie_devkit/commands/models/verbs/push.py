"""``vigie models push``: a verified bundle into an OCI registry, beside the images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models push conveyor-parts oci://registry.example.com/models/parts:2 --credentials FILE"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "push", "upload a bundle to a container registry", EXAMPLE, _push)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument("reference", help="oci://host/repository:tag; plain http to this machine only")
    verb.add_argument("--credentials", type=Path, metavar="FILE", help="a file with user:password")


def _push(args: argparse.Namespace) -> int:
    from vigie.models import load_bundle
    from vigie.models.oci import Registry, push, read_reference
    from vigie_devkit.models.shelf import bundle_files, find_on_shelf

    bundle = load_bundle(find_on_shelf(args.bundle))
    credentials = "" if args.credentials is None else args.credentials.read_text(encoding="utf-8").strip()
    files = dict(bundle_files(bundle))
    reference = read_reference(args.reference)
    digest = push(Registry(reference, credentials), files)
    print(f"oci://{reference.host}/{reference.repository}")
    # What desired property "models" asks for (docs/model-updates.md).
    print(f"  version    {bundle.card.version}")
    print(f"  sha256     {digest.removeprefix('sha256:')}")
    print(f"  size       {sum(len(content) for content in files.values())}")
    return 0
