"""``vigie models quantize``: variants that pay, or a refusal with the figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import count, number, share
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models quantize bundles/best --calibrate belt.mp4 --for cpu-x86,openvino"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "quantize", "int8, fp16 and 16-bit variants that pay, or a refusal", EXAMPLE, _run)
    verb.add_argument("bundle", help="a bundle folder or a name from 'list', with an fp32 variant")
    verb.add_argument(
        "--calibrate",
        action="append",
        required=True,
        metavar="SOURCE",
        help="frames such as the camera will see: a video, a folder of pictures, a COCO or YOLO folder, "
        "synthetic://conveyor?seed=1; may be given several times",
    )
    verb.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="SOURCE",
        help="frames to judge on (default: some are held back)",
    )
    verb.add_argument(
        "--for",
        dest="targets",
        type=_targets,
        default=("cpu-x86",),
        metavar="TARGETS",
        help="targets, of cpu-x86,cpu-arm,openvino,tensorrt,qnn-htp,gpu, or all (default: cpu-x86)",
    )
    verb.add_argument(
        "--max-drop",
        type=_points,
        default=0.5,
        metavar="POINTS",
        help="points of mAP50 and mAP50-95, or of top-1, that may be lost on each source (default: 0.5)",
    )
    verb.add_argument(
        "--min-agreement",
        type=share,
        default=0.95,
        metavar="F1",
        help="agreement with fp32 where there are no labels (default: 0.95)",
    )
    verb.add_argument("--score", type=share, metavar="S", help="detections above count (default: the card's)")
    verb.add_argument("--frames", type=count, default=64, metavar="N", help="frames to calibrate on (default: 64)")
    verb.add_argument("--judge-frames", type=count, default=128, metavar="N", help="frames to judge on (default: 128)")
    verb.add_argument("--rounds", type=count, default=3, metavar="N", help="timing processes per file (default: 3)")
    verb.add_argument("--encodings", type=Path, metavar="FILE", help="scales and offsets that another tool found")
    verb.add_argument("--output", type=Path, help="the bundle's folder (default: in the state folder, by name)")


def _targets(text: str) -> tuple[str, ...]:
    from vigie_devkit.quantize.recipes import parse_targets

    try:
        return parse_targets(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _points(text: str) -> float:
    return number(text, 0, 100, "a number 0..100")


def _run(args: argparse.Namespace) -> int:
    from vigie.models import load_bundle
    from vigie_devkit.local.ownership import claim_part
    from vigie_devkit.local.paths import home_folder
    from vigie_devkit.models.shelf import find_on_shelf, shelf_folder
    from vigie_devkit.quantize.judge import Budget
    from vigie_devkit.quantize.outcome_lines import outcome_lines
    from vigie_devkit.quantize.pipeline import quantize_bundle
    from vigie_devkit.quantize.report_files import write_report
    from vigie_devkit.quantize.request import QuantizeRequest

    folder = find_on_shelf(args.bundle)
    output = args.output or shelf_folder() / load_bundle(folder).card.name
    request = QuantizeRequest(
        bundle=folder,
        calibrate=tuple(args.calibrate),
        judge=tuple(args.judge),
        output=output,
        targets=args.targets,
        budget=Budget(args.max_drop, args.min_agreement),
        frames=args.frames,
        judge_frames=args.judge_frames,
        score_min=args.score,
        encodings=args.encodings,
        rounds=args.rounds,
        kept_work=claim_part(home_folder(), "quantizing"),
    )
    outcome = quantize_bundle(request)
    page = write_report(output, outcome)
    show_text("\n".join(outcome_lines(outcome.report)))
    print(f"  report     {page}")
    if outcome.folder is None:
        print("  nothing was written: no variant pays here; fp32 stays the one to use")
        return 1
    print(f"  bundle     {outcome.folder}")
    print(f"  next       ./vigie models verify {outcome.folder}")
    return 0
