"""``vigie models train``: a detector of rendered pictures or one's own; needs PyTorch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import add_version_option, bundle_name, count, say, size_hw
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models train --data my-parts --name my-parts --epochs 60"
FROM_NOTHING = "none"


def add_verb(verbs: Any) -> None:
    text = "train the detector on rendered pictures or your own; needs PyTorch"
    verb = add_verb_parser(verbs, "train", text, EXAMPLE, _train)
    verb.add_argument("--data", type=Path, help="a folder in COCO or YOLO format (default: the synthetic conveyor)")
    verb.add_argument(
        "--from-samples",
        type=Path,
        metavar="FOLDER",
        help="pictures that devices chose and you labelled (samples.jsonl)",
    )
    verb.add_argument(
        "--from",
        dest="start",
        metavar="BUNDLE",
        help="a bundle of this command, or its name, whose weights to start from, or 'none' "
        "(default: conveyor-parts for your own pictures, none for rendered ones)",
    )
    verb.add_argument("--name", type=bundle_name, help="name of the bundle (default: the folder's, or conveyor-parts)")
    add_version_option(verb)
    verb.add_argument("--output", type=Path, help="where the bundle's folder is made (default: in the state folder)")
    verb.add_argument("--epochs", type=count, metavar="N", help="how often every picture is seen")
    verb.add_argument("--pictures", type=count, metavar="N", help="how many are rendered")
    verb.add_argument("--size", type=_trained_size, metavar="HxW", help="size of the input, in multiples of 32")
    verb.add_argument(
        "--cut",
        type=_cut_side,
        metavar="PX",
        help="train on squares cut out of the pictures (default: 256 if rendered)",
    )
    verb.add_argument(
        "--checkpoints",
        type=Path,
        metavar="FOLDER",
        help="write the network after every epoch there, as epoch-NNN.onnx",
    )
    verb.add_argument(
        "--threads", type=count, metavar="N", help="threads of the CPU to use (default: PyTorch's choice)"
    )
    verb.add_argument("--licence", help="licence of the weights, for the card (default: MIT if rendered, else unknown)")


def _trained_size(text: str) -> tuple[int, int]:
    height, width = size_hw(text)
    if height % 32 or width % 32:
        raise argparse.ArgumentTypeError(f"expected multiples of 32 such as 384x512, got {text!r}")
    return height, width


def _cut_side(text: str) -> int:
    side = count(text)
    if side % 32:
        raise argparse.ArgumentTypeError(f"expected a multiple of 32 such as 256, got {text!r}")
    return side


def _train(args: argparse.Namespace) -> int:
    own = args.data is not None or args.from_samples is not None
    if own and args.pictures is not None:
        print("vigie: --pictures is how many are rendered; of your own all are used", file=sys.stderr)
        return 2
    from vigie_devkit.models.shelf import find_on_shelf, shelf_folder, summary
    from vigie_devkit.train.torch_needed import require_torch

    require_torch(args.threads)
    from vigie_devkit.train.pipeline import train_bundle
    from vigie_devkit.train.request import RENDERED_NAME, training_request

    start = args.start or (RENDERED_NAME if own else FROM_NOTHING)
    request = training_request(
        args.output or shelf_folder(),
        name=args.name,
        folder=args.data,
        samples=args.from_samples,
        start=None if start == FROM_NOTHING else find_on_shelf(start),
        keep_labels=args.start is not None,
        epochs=args.epochs,
        pictures=args.pictures,
        size_hw=args.size,
        cut_px=args.cut,
        licence=args.licence,
        checkpoints=args.checkpoints,
        version=args.bundle_version,
    )
    folder = train_bundle(request, say)
    show_text(summary(folder))
    print(f"  next       ./vigie up --model {folder}")
    return 0
