"""``vigie models inspect``: what a model file or a bundle is, writing nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import add_recognition_options
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models inspect best.onnx"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "inspect", "what a model file or bundle is", EXAMPLE, _inspect)
    verb.add_argument("model", help="an .onnx or .tflite file, a bundle folder or a name from 'list'")
    add_recognition_options(verb)


def _inspect(args: argparse.Namespace) -> int:
    from vigie_devkit.models.shelf import describe_file, find_on_shelf, summary

    path = Path(args.model)
    if path.suffix in {".onnx", ".tflite"}:
        show_text(describe_file(path, labels=args.labels, family=args.family, size_hw=args.size))
    else:
        show_text(summary(find_on_shelf(args.model)))
    return 0
