"""``vigie fit``: how many cameras this machine carries with a model, and what to do when it does not."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import number

EXAMPLES = """examples:
  ./vigie fit --cameras 8 --fps 15                              with the detector that ships, measured now
  ./vigie fit --cameras 8 --fps 15 --model yolox_nano --save costs.json
  ./vigie fit --cameras 12 --fps 10 --costs costs.json          the same costs, another wish; nothing is measured
  ./vigie fit --cameras 4 --fps 15 --clip gate.mp4              a recording of your own camera

exit codes: 0 it fits, 1 it does not, 2 the command line is wrong, 5 the model is missing or nothing can serve it
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "fit",
        help="how many cameras this machine carries",
        description="Measure what a frame costs on this machine (decode, preprocess, model on its best engine) and say "
        "what fits, where the bottleneck is, and when the model belongs on another machine.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--cameras", type=_cameras, required=True, metavar="N", help="how many are wanted")
    parser.add_argument("--fps", type=_rate, required=True, metavar="F", help="frames per second of each")
    parser.add_argument("--model", default="conveyor-parts", help="a bundle folder or a name from 'models list'")
    parser.add_argument(
        "--size", type=_size, default=(1080, 1920), metavar="WxH", help="size of a frame (default 1920x1080)"
    )
    parser.add_argument("--clip", type=Path, metavar="FILE", help="a recording of the camera, instead of a drawn scene")
    parser.add_argument("--costs", type=Path, metavar="FILE", help="costs that --save wrote, instead of measuring")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    import msgspec

    from vigie_devkit.fit.rules import Costs, fit, fit_lines

    try:
        costs = msgspec.json.decode(args.costs.read_bytes(), type=Costs) if args.costs else _measured(args)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        sys.stderr.write(f"vigie: {error}\n")
        return 2 if args.costs else 5
    if args.save:
        args.save.write_bytes(msgspec.json.format(msgspec.json.encode(costs)) + b"\n")
    found = fit(costs, cameras=args.cameras, fps=args.fps)
    if args.json:
        print(msgspec.json.encode({"costs": costs, "fit": found}).decode())
    else:
        show_text("\n".join(fit_lines(costs, found, cameras=args.cameras, fps=args.fps)))
    return int(not found.fits)


def _measured(args: argparse.Namespace) -> Any:
    from vigie.models import load_bundle
    from vigie.runtimes.choosing.objective import Objective
    from vigie_devkit.fit.measure import measure_costs
    from vigie_devkit.models.bench import bench_bundle
    from vigie_devkit.models.shelf import find_on_shelf

    folder = find_on_shelf(args.model)
    benched = bench_bundle(folder, Objective(kind="throughput"), processes=1, say=_say)
    return measure_costs(load_bundle(folder), benched, size_hw=args.size, clip=args.clip)


def _say(text: str) -> None:
    sys.stderr.write(f"vigie: {text}\n")


def _cameras(text: str) -> int:
    return int(number(text, 1, 1000, "1 to 1000", int))


def _rate(text: str) -> float:
    return number(text, 0.1, 240, "0.1 to 240")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if match is None or int(match[1]) % 2 or int(match[2]) % 2:
        raise argparse.ArgumentTypeError(f"expected WxH, both even, such as 1920x1080, got {text!r}")
    return int(match[2]), int(match[1])
