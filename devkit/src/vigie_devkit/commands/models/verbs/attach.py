"""``vigie models attach``: a .tflite file as one more variant of a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import bundle_name
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models attach bundles/best best_int8.tflite --output bundles/best-arm"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "attach", "add a .tflite export of the same model as a variant", EXAMPLE, _attach)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument("file", type=Path, help="the .tflite file")
    verb.add_argument("--output", type=Path, required=True, help="the new bundle's folder")
    verb.add_argument("--name", type=bundle_name, help="name of the variant (default: tflite- and its precision)")
    verb.add_argument(
        "--channels", choices=("rgb", "bgr"), default="", help="order of colours, where the trial finds two"
    )
    verb.add_argument(
        "--range",
        dest="range_",
        choices=("0..1", "-1..1", "0..255", "imagenet"),
        default="",
        help="range of the pixels it takes, where the trial finds two",
    )


def _attach(args: argparse.Namespace) -> int:
    from vigie.models import load_bundle
    from vigie_devkit.models.attach import attach
    from vigie_devkit.models.shelf import find_on_shelf

    bundle = load_bundle(find_on_shelf(args.bundle))
    done = attach(bundle, args.file, args.output, name=args.name or "", channels=args.channels, range_=args.range_)
    print(done.folder)
    print(f"  variant    {done.variant}")
    show_text(f"  concluded  {done.trial.words}, on the bundle's reference frames")
    if done.runner_up is not None:
        print(f"  next best  {done.runner_up.words}")
    return 0
