"""``vigie bench``: the product beside what a user would write in its place, and where a frame's time goes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vigie_devkit.commands.up import positive_count

EXAMPLES = """scenarios:
  max-1       one file as fast as it goes, beside plain and pooled loops of cv2 and onnxruntime
  full-4      four cameras on a full machine: the sum, each camera's share, delay, drops
  light-1     one camera of 30 frames/s and a model of almost no cost: CPU and delay of everything around a model
  light-4     the same with four cameras
  1080p       a 1080p frame between decoder and tensor
  (these five run where none is named)
  model-1, model-4 (with --model), start, floor, slow-hub-8, kill, offline

examples:
  ./vigie bench                                              the five, with the model that ships
  ./vigie bench max-1 --video video.mp4 --model yolox_nano.onnx
  ./vigie bench --quick --json > base.json                   short windows
  ./vigie bench --quick --compare base.json                  now beside then
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure the whole product beside the script a user would write",
        description="Run the product and the user's alternatives on this machine. Keep the machine otherwise idle.",
        epilog=EXAMPLES,
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="what to measure (default: the five below)")
    parser.add_argument("--quick", action="store_true", help="short windows: does it work?")
    parser.add_argument(
        "--repeats", type=positive_count, default=1, metavar="N", help="runs of each scenario (default: 1)"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="a detector (default: the one that ships)")
    parser.add_argument("--video", type=Path, metavar="FILE", help="a video (default: test pictures, by ffmpeg)")
    parser.add_argument(
        "--compare", type=Path, metavar="BASE.json", help="print each figure beside that of an earlier --json"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON array and nothing else")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as a Markdown page, too")
    parser.set_defaults(handler=bench)


def bench(args: argparse.Namespace) -> int:
    from vigie_devkit.bench.flow import run

    return run(args)
