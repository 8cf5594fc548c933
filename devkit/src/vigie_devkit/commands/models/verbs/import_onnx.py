"""``vigie models import``: an ONNX or TFLite export becomes a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import add_recognition_options, add_version_option, input_fields
from vigie_devkit.verb import add_verb_parser

# As in models/evidence/spelling.py, which loads onnx: help must not.
RANGES = "0..255, 0..1, -1..1, imagenet, caffe"
EXAMPLE = "./vigie models import best.onnx --labels names.txt --output bundles/best"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "import", "turn an ONNX or TFLite export into a bundle", EXAMPLE, _import)
    verb.add_argument(
        "model",
        type=Path,
        help="an .onnx or .tflite file, or the .zip that Azure Custom Vision or AutoML exports; a .tflite file is "
        "converted, compared with LiteRT, and kept beside its conversion",
    )
    verb.add_argument("--output", type=Path, help="the bundle's folder (default: in the state folder, by name)")
    verb.add_argument("--name", help="name of the bundle (default: the file's)")
    add_version_option(verb)
    verb.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        help="a picture of something the model should see, kept as a reference frame; may be repeated",
    )
    verb.add_argument("--licence", default="unknown", help="licence of the weights, for the card")
    verb.add_argument("--card", type=Path, help="a YAML file that says how to read it, in place of recognition")
    verb.add_argument(
        "--input",
        type=input_fields,
        metavar="CHANNELS/RANGE",
        help=f"how pixels are fed: rgb/ or bgr/ and one of {RANGES} (for example rgb/0..1)",
    )
    verb.add_argument("--channels", choices=("rgb", "bgr"), help="the order the model was trained with")
    verb.add_argument("--align", choices=("centre", "top_left", "stretch"), help="how pictures are fitted")
    verb.add_argument(
        "--trust", action="store_true", help="import although evidence speaks against the reading; the card says so"
    )
    verb.add_argument(
        "--show",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FOLDER",
        help="write pictures with what the model finds in them (default folder: beside the bundle)",
    )
    verb.add_argument(
        "--mean", type=float, nargs=3, metavar="M", help="mean of each channel that is subtracted, in 0..255"
    )
    verb.add_argument(
        "--std", type=float, nargs=3, metavar="S", help="deviation of each channel that is divided by, in 0..255"
    )
    add_recognition_options(verb)


def _import(args: argparse.Namespace) -> int:
    from vigie_devkit.models import import_model
    from vigie_devkit.models.shelf import shelf_folder, summary
    from vigie_devkit.models.tflite.opening import is_tflite
    from vigie_devkit.models.tflite.serving import attach_original
    from vigie_devkit.models.unpack import unpacked
    from vigie_devkit.models.writer import bundle_name

    feed = {key: getattr(args, key) for key in ("channels", "align") if getattr(args, key) is not None}
    feed = {**(args.input or {}), **feed}
    feed |= {key: tuple(getattr(args, key)) for key in ("mean", "std") if getattr(args, key) is not None}
    if 0.0 in feed.get("std", ()):
        print("--std: a deviation of 0 divides by nothing")
        return 2
    name = args.name or bundle_name(args.model)
    with unpacked(args.model) as (onnx_file, packed_labels):
        folder = import_model(
            onnx_file,
            args.output or shelf_folder() / name,
            labels=args.labels or packed_labels,
            name=name,
            family=args.family,
            given=args.card,
            feed=feed,
            size_hw=args.size,
            pictures=args.picture,
            licence=args.licence,
            trust=args.trust,
            version=args.bundle_version,
        )
        original = attach_original(folder, onnx_file) if is_tflite(onnx_file) else None
    show_text(summary(folder))
    if original is not None:
        show_text(f"  {'attached  ' if original[0] else 'left out  '} the file itself: {original[1]}")
    if args.show is not None:
        from vigie_devkit.models.show import show_bundle

        target = args.show if args.show != Path() else folder.with_name(f"{folder.name}-shown")
        for file in show_bundle(folder, target, args.picture):
            print(f"  shown      {file}")
    print(f"  next       ./vigie up --model {folder}")
    return 0
