"""``vigie models``: import an ONNX export, fetch or train one, look at it, list, verify, export."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  ./vigie models import yolox_nano.onnx                       into the state folder
  ./vigie models import best.onnx --labels names.txt --output bundles/best
  ./vigie models inspect yolox_nano.onnx                      what it is and why, without importing it
  ./vigie models verify bundles/best                          checksums, then the reference pair on this machine
  ./vigie models list
  ./vigie models export bundles/best --output best.zip
  ./vigie models fetch best --catalogue models.yaml           resumable, verified, then unpacked or imported
  ./vigie models train --data my-parts --epochs 60            a detector of your own pictures (needs PyTorch)
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "models",
        help="import, fetch, train, inspect, list, verify and export model bundles",
        description="Model bundles: an ONNX export with everything needed to run and trust it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=lambda _args: _usage(parser))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    _add_import(verbs)
    inspect = _verb(verbs, "inspect", "what a model file or bundle is", "./vigie models inspect best.onnx", _inspect)
    inspect.add_argument("model", help="an .onnx file, a bundle folder or a name from 'list'")
    _recognition_options(inspect)
    _verb(verbs, "list", "bundles in the state folder and those that ship", "./vigie models list", _list)
    verify = _verb(verbs, "verify", "checksums and reference pair", "./vigie models verify yolox_nano", _verify)
    verify.add_argument("bundle", help="a bundle folder or a name from 'list'")
    export = _verb(
        verbs, "export", "pack a bundle into one zip", "./vigie models export yolox_nano --output y.zip", _export
    )
    export.add_argument("bundle", help="a bundle folder or a name from 'list'")
    export.add_argument("--output", type=Path, help="the archive (default: NAME-VERSION.zip here)")
    fetch = _verb(
        verbs,
        "fetch",
        "download a model of a catalogue",
        "./vigie models fetch best --catalogue models.yaml",
        _fetch,
    )
    fetch.add_argument("name", help="of the model in the catalogue")
    fetch.add_argument("--catalogue", type=Path, help="a YAML file of URL, sha256, size and licence (docs/models.md)")
    fetch.add_argument("--output", type=Path, help="the bundle's folder (default: in the state folder, by name)")
    _add_train(verbs)


def _verb(verbs: Any, name: str, text: str, example: str, handler: Any) -> Any:
    verb = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(handler=handler)
    return verb


def _add_import(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "import",
        "turn an ONNX export into a bundle",
        "./vigie models import best.onnx --labels names.txt --output bundles/best",
        _import,
    )
    verb.add_argument("model", type=Path, help="an .onnx file")
    verb.add_argument("--output", type=Path, help="the bundle's folder (default: in the state folder, by name)")
    verb.add_argument("--name", help="of the bundle (default: the file's)")
    verb.add_argument("--picture", type=Path, help="of the reference pair: something the model should see")
    verb.add_argument("--licence", default="unknown", help="of the weights, for the card")
    verb.add_argument("--card", type=Path, help="a YAML file that says how to read it, in place of recognition")
    verb.add_argument("--channels", choices=("rgb", "bgr"), help="the order the model was trained with")
    verb.add_argument("--align", choices=("centre", "top_left", "stretch"), help="how pictures are fitted")
    verb.add_argument("--mean", type=float, nargs=3, metavar="M", help="subtracted per channel, in 0..255")
    verb.add_argument("--std", type=float, nargs=3, metavar="S", help="divided by per channel, in 0..255")
    _recognition_options(verb)


def _add_train(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "train",
        "train the detector on rendered pictures or your own; needs PyTorch",
        "./vigie models train --data my-parts --name my-parts --epochs 60",
        _train,
    )
    verb.add_argument("--data", type=Path, help="a folder in COCO or YOLO format (default: the synthetic conveyor)")
    verb.add_argument("--name", type=_name, help="of the bundle (default: the folder's, or conveyor-parts)")
    verb.add_argument("--output", type=Path, help="where the bundle's folder is made (default: in the state folder)")
    verb.add_argument("--epochs", type=_count, metavar="N", help="how often every picture is seen")
    verb.add_argument("--pictures", type=_count, metavar="N", help="how many are rendered")
    verb.add_argument("--size", type=_trained_size, metavar="HxW", help="of the input, multiples of 32")
    verb.add_argument("--threads", type=_count, metavar="N", help="that compute (default: PyTorch's choice)")
    verb.add_argument("--licence", help="of the weights, for the card (default: MIT if rendered, else unknown)")


def _recognition_options(parser: Any) -> None:
    parser.add_argument("--labels", type=Path, help="class names: a text or YAML file, or 'coco80'")
    parser.add_argument("--family", help="where recognition needs to be told")
    parser.add_argument("--size", type=_size, metavar="HxW", help="for models whose input is open")


def _size(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not times or not height.isdecimal() or not width.isdecimal() or not int(height) or not int(width):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH such as 640x640, got {text!r}")
    return int(height), int(width)


def _trained_size(text: str) -> tuple[int, int]:
    height, width = _size(text)
    if height % 32 or width % 32:
        raise argparse.ArgumentTypeError(f"expected multiples of 32 such as 384x512, got {text!r}")
    return height, width


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return int(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"expected letters, digits, '.', '-', '_', got {text!r}")
    return text


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _import(args: argparse.Namespace) -> int:
    from vigie_devkit.models import import_model
    from vigie_devkit.models.shelf import shelf_folder, summary
    from vigie_devkit.models.writer import bundle_name

    feed = {key: getattr(args, key) for key in ("channels", "align") if getattr(args, key) is not None}
    feed |= {key: tuple(getattr(args, key)) for key in ("mean", "std") if getattr(args, key) is not None}
    if 0.0 in feed.get("std", ()):
        print("--std: a deviation of 0 divides by nothing")
        return 2
    name = args.name or bundle_name(args.model)
    folder = import_model(
        args.model,
        args.output or shelf_folder() / name,
        labels=args.labels,
        name=name,
        family=args.family,
        given=args.card,
        feed=feed,
        size_hw=args.size,
        picture=args.picture,
        licence=args.licence,
    )
    print(summary(folder))
    print(f"  next       ./vigie up --model {folder}")
    return 0


def _inspect(args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import describe_file, find_on_shelf, summary

    path = Path(args.model)
    if path.suffix == ".onnx":
        print(describe_file(path, labels=args.labels, family=args.family, size_hw=args.size))
    else:
        print(summary(find_on_shelf(args.model)))
    return 0


def _list(_args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import listing

    lines = listing()
    print("\n".join(lines) if lines else "no bundles yet; make one: ./vigie models import FILE.onnx")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import find_on_shelf
    from vigie_devkit.models.verify import verify_bundle

    for line in verify_bundle(find_on_shelf(args.bundle)):
        print(line)
    return 0


def _export(args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import export_bundle, find_on_shelf

    print(export_bundle(find_on_shelf(args.bundle), args.output))
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from vigie_devkit.local.paths import home_folder
    from vigie_devkit.models.catalogue import SHIPPED, find_entry
    from vigie_devkit.models.fetch import fetch_bundle
    from vigie_devkit.models.shelf import shelf_folder, summary

    entry = find_entry(args.name, args.catalogue or SHIPPED)
    target = args.output or shelf_folder() / args.name
    folder = fetch_bundle(args.name, entry, target, home_folder() / "downloads", _say)
    print(summary(folder))
    print(f"  next       ./vigie up --model {folder}")
    return 0


def _train(args: argparse.Namespace) -> int:
    if args.data is not None and args.pictures is not None:
        print("vigie: --pictures is how many are rendered; with --data all of the folder are used", file=sys.stderr)
        return 2
    from vigie_devkit.models.shelf import shelf_folder, summary
    from vigie_devkit.train.torch_needed import require_torch

    require_torch(args.threads)
    from vigie_devkit.train.pipeline import train_bundle, wanted_training

    wanted = wanted_training(
        args.output or shelf_folder(),
        name=args.name,
        folder=args.data,
        epochs=args.epochs,
        pictures=args.pictures,
        size_hw=args.size,
        licence=args.licence,
    )
    folder = train_bundle(wanted, _say)
    print(summary(folder))
    print(f"  next       ./vigie up --model {folder}")
    return 0


def _say(line: str) -> None:
    """Progress goes to stderr: stdout belongs to results."""
    print(line, file=sys.stderr, flush=True)
