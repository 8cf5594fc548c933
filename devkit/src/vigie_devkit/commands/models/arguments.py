"""What verbs of ``vigie models`` share: how their arguments are read, where progress is printed."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_recognition_options(parser: argparse.ArgumentParser) -> None:
    """What helps to recognise a file, the same for ``import`` and ``inspect``."""
    parser.add_argument("--labels", type=Path, help="class names: a text or YAML file, or 'coco80'")
    parser.add_argument("--family", help="where recognition needs to be told")
    parser.add_argument("--size", type=size_hw, metavar="HxW", help="size of the input, for models that leave it open")


def size_hw(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not times or not height.isdecimal() or not width.isdecimal() or not int(height) or not int(width):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH such as 640x640, got {text!r}")
    return int(height), int(width)


def input_fields(text: str) -> dict[str, Any]:
    from vigie_devkit.models.evidence import spelling

    try:
        return spelling.input_fields(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return int(text)


def share(text: str) -> float:
    return number(text, 0, 1, "a number 0..1")


def number(text: str, low: float, high: float, expected: str, kind: Callable[[str], float] = float) -> float:
    """From ``low`` to ``high``. Args: expected: for people, where it is something else."""
    try:
        value = kind(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def bundle_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"expected letters, digits, '.', '-', '_', got {text!r}")
    return text


def add_version_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--version",
        dest="bundle_version",  # "version" is the one of the command line itself
        type=bundle_name,
        default="1",
        metavar="V",
        help="version of the bundle (default: 1); devices refuse other weights under the same name and version",
    )


def say(line: str) -> None:
    """Progress goes to stderr: stdout belongs to results."""
    print(line, file=sys.stderr, flush=True)
