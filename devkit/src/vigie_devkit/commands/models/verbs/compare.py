"""``vigie models compare``: agreement of two models, or of two variants of one, on the same frames."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vigie.plurals import counted
from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import count, share
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models compare best@fp32 best@int8-u8s8-mixed --on belt.mp4"
PICTURES_MAX = 8
AGREEMENTS_MAX = 4


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "compare", "two models on the same frames: agreement, flips, pictures", EXAMPLE, _run)
    verb.add_argument(
        "first", help="the reference: a bundle folder or a name from 'list', with @VARIANT if not its first"
    )
    verb.add_argument("second", help="the other model, or another variant, in the same form")
    verb.add_argument(
        "--on", required=True, metavar="SOURCE", help="a video, a folder of pictures, synthetic://conveyor"
    )
    verb.add_argument("--frames", type=count, default=64, metavar="N", help="at most (default: 64)")
    verb.add_argument("--score", type=share, metavar="S", help="detections above count (default: each card's)")
    verb.add_argument(
        "--output",
        type=Path,
        help=f"a folder for pictures: the {PICTURES_MAX} frames that differ most, {AGREEMENTS_MAX} that do not differ",
    )
    verb.add_argument("--json", action="store_true", help="one object on stdout")


def _run(args: argparse.Namespace) -> int:
    from vigie.errors import BundleError
    from vigie_devkit.models.shelf import find_on_shelf
    from vigie_devkit.quantize.compare import Side, compare_models

    sides = []
    for text in (args.first, args.second):
        name, _, variant = text.partition("@")
        sides.append(Side(find_on_shelf(name), variant or None))
    compared = compare_models(sides[0], sides[1], args.on, frames=args.frames, score_min=args.score)
    total = compared.total
    worst, alike = compared.worst(PICTURES_MAX), compared.alike(AGREEMENTS_MAX)
    facts = {
        "first": compared.names[0],
        "second": compared.names[1],
        "frames": total.frames,
        "agreement_f1": round(total.f1, 4),
        "matched": total.matched,
        "missing": total.missing,
        "new": total.new,
        "flips": total.flips,
        "mean_iou": round(total.mean_iou, 4),
        "mean_score_difference": round(total.mean_score_difference, 4),
        "frames_that_differ": sum(1 for frame in compared.frames if frame.count),
    }
    if args.output is not None:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            for kind, frames in (("difference", worst), ("agreement", alike)):
                for number, frame in enumerate(frames, start=1):
                    (args.output / f"{kind}-{number}.jpg").write_bytes(compared.picture(frame))
        except OSError as error:
            raise BundleError(
                str(args.output), f"cannot be written: {error.strerror}; pass another --output"
            ) from error
    if args.json:
        print(json.dumps(facts))
        return 0
    show_text(f"{compared.names[0]} and {compared.names[1]} on {counted(total.frames, 'frame')} of {args.on}")
    print(f"  agreement  F1 {total.f1:.3f}: {total.matched} of {total.first} and {total.second} match")
    show_text(
        f"  boxes      mean IoU {total.mean_iou:.3f}, scores differ by {total.mean_score_difference:.3f} on average"
    )
    print(f"  differ     {total.missing} missing, {total.new} new, {total.flips} under another class")
    for frame in worst:
        show_text(f"    {frame.sample.name}: {_differences(frame, compared.labels)}")
    if args.output is not None:
        show_text(f"  pictures   {len(worst)} with differences, {len(alike)} without, in {args.output}")
    return 0


def _differences(frame: Any, labels: Any) -> str:
    parts = [f"{labels[int(frame.first.class_ids[index])]} missing" for index in frame.match.missing]
    parts += [f"{labels[int(frame.second.class_ids[index])]} new" for index in frame.match.new]
    parts += [
        f"{labels[int(frame.first.class_ids[left])]} became {labels[int(frame.second.class_ids[right])]}"
        for left, right in frame.match.flips
    ]
    return ", ".join(parts)
