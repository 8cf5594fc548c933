"""`vigie manifest lint`: what the cloud accepts and the device then refuses or silently ignores."""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.manifest.parsing import MODULES, TEMPLATE, read_json
from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.verb import add_verb_parser

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_verb(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs,
        "lint",
        "find what the cloud accepts and the device refuses, ignores or never gets",
        "./vigie manifest lint deployment.json --disk 8g --frame 1280x720 --json",
        run,
    )
    parser.add_argument("manifest", nargs="?", type=Path, default=TEMPLATE, help="default: deployment.template.json")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--json", action="store_true", help="a list of findings, for programs")
    parser.add_argument(
        "--frame", metavar="WxH", default="1920x1080", help="size of frames of cameras whose size is not known"
    )
    parser.add_argument("--input", metavar="WxH", default="640x640", help="size of the model's input")
    parser.add_argument("--fps", type=float, default=30.0, help="frames per second of cameras whose rate is not known")
    parser.add_argument(
        "--twin",
        action="append",
        default=[],
        metavar="MODULE=FILE",
        help="desired properties that a device has, as 'az iot hub module-twin show' prints them; may be repeated",
    )
    parser.add_argument("--disk", metavar="SIZE", help="what the device's disk has for messages that wait, such as 8g")


def run(args: argparse.Namespace) -> int:
    import msgspec

    from vigie_devkit.manifest.lint import Assumptions, lint

    beside = args.manifest.resolve().parent / "modules"
    assumed = Assumptions(
        frame_wh=_size("--frame", args.frame),
        input_wh=_size("--input", args.input),
        fps=args.fps,
        disk_bytes=None if args.disk is None else _bytes(args.disk),
        modules=beside if beside.is_dir() else None,
        own_modules=MODULES if MODULES.is_dir() else None,
        today=date.today(),  # noqa: DTZ011 - a day, wherever one is
        twins=dict(_twin(text) for text in args.twin),
    )
    findings = lint(read_json(args.manifest), assumed)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    else:
        for found in findings:
            show_text(str(found))
        if not findings:
            print(f"{args.manifest}: 0 findings")
    bad = {"error", "warning"} if args.strict else {"error"}
    return 1 if any(found.severity in bad for found in findings) else Exit.OK


def _twin(text: str) -> tuple[str, dict[str, Any]]:
    module, equals, file = text.partition("=")
    if not (module and equals and file):
        raise UsageError(f"--twin {text!r}: expected MODULE=FILE, as in --twin camera=camera-twin.json")
    content = read_json(Path(file))
    properties = content.get("properties", content)
    desired = properties.get("desired", properties) if isinstance(properties, dict) else None
    if not isinstance(desired, dict):
        raise UsageError(f"--twin {text!r}: {file} holds neither a twin nor desired properties")
    return module, {key: value for key, value in desired.items() if not key.startswith("$")}


def _size(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.lower())
    if match is None or "0" in match.groups():
        raise UsageError(f"{option} {text!r} is not a size; write width and height as in 1280x720")
    return int(match[1]), int(match[2])


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)b?", text.lower())
    if match is None:
        raise UsageError(f"--disk {text!r} is not a size; write bytes, or with a unit as in 8g")
    return int(float(match[1]) * _UNITS[match[2]])
