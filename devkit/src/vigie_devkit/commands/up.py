"""``vigie up``: the local hub and the four modules, a live status, one summary."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.paths import CHECKOUT, DEFAULT_RUN, RunPaths, claim_run, frames_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vigie_devkit.local.beside import Beside
    from vigie_devkit.local.recording import Recording
    from vigie_devkit.local.session import RunPlan
    from vigie_devkit.local.sources import CameraSource, Pace

EPILOG = """examples:
  ./vigie up                                                  the synthetic conveyor and its model, until Ctrl-C
  ./vigie up video.mp4 --model your-model.onnx                every frame of a file, then a summary
  ./vigie up video.mp4 --model your-model.onnx --frames 400 --json
  ./vigie up 'rtsp://viewer:${DOCK}@10.0.0.7/stream' --secret DOCK=dock.password    or it asks for the password
  ./vigie up a.mp4 b.mp4 --pace realtime --loop               two cameras
  ./vigie up video.mp4 --model parts --model people.onnx      two models on every frame
  ./vigie up video.mp4 --record seen.mp4                      as it plays, with boxes, into a video

a source is a video file, rtsp://host/path or synthetic://conveyor?seed=1&fps=30; several make several cameras.
Each start begins with an empty state (twins, ledger, upstream record); --keep goes on with the former run's.

exit codes:
  0  frames flowed through all four modules and reached upstream
  1  it ran, but they did not
  2  the command line is wrong
  3  the environment: index, port, folder
  4  a source does not open
  5  a model is missing, its type is not recognised, or inference refuses it
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "up",
        help="run the four modules and a local hub on a video, a camera or the synthetic conveyor",
        description="Start the local hub and the four modules, show how they do, stop all of them at the end.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="what to look at (default: the synthetic conveyor)"
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="file with the value of ${NAME} in a source; without it the terminal asks",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="an .onnx file, a bundle's folder, or a name that './vigie models list' shows; given again: one more "
        "model that sees every frame beside the first",
    )
    parser.add_argument(
        "--score", type=share, metavar="S", help="drop detections below S, 0 to 1 (default: what the model's card says)"
    )
    parser.add_argument(
        "--pace",
        choices=["realtime", "max"],
        help="realtime: newest frame wins; max: every frame is inferred (default: max for files and with --frames)",
    )
    parser.add_argument("--loop", action="store_true", help="begin a file again at its end")
    parser.add_argument("--seconds", type=positive_number, metavar="N", help="end N seconds after the first frame")
    parser.add_argument("--frames", type=positive_count, metavar="N", help="end when each camera has captured N frames")
    parser.add_argument(
        "--upstream",
        choices=["events", "detections", "both"],
        help="what the cloud side gets: events and counts, the boxes of every frame, or both (default: events)",
    )
    parser.add_argument("--json", action="store_true", help="print one summary object on stdout and nothing else")
    parser.add_argument(
        "--viewer",
        action=argparse.BooleanOptionalAction,
        help="the page with live pictures (default: yes, but not with --json)",
    )
    parser.add_argument(
        "--actions",
        action="store_true",
        help="also start the actions module, which tells webhooks and MQTT brokers of events (docs/actions.md)",
    )
    parser.add_argument(
        "--record",
        metavar="FILE.mp4",
        help="write a video of what is seen, boxes drawn, up to 30 pictures per second; several cameras: several files",
    )
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also start the evidence module, which takes pictures and clips to a storage account (docs/evidence.md)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--run", metavar="NAME", help="name of this run (default: local, or the next free one)")
    parser.add_argument("--keep", action="store_true", help="go on with the state that the former run left")
    parser.set_defaults(handler=up)


def positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"expected more than 0, got {text}")
    return value


def positive_count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return value


def share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {text}")
    return value


def up(args: argparse.Namespace) -> int:
    """Check all that can be checked before anything starts, then run."""
    from vigie.private_files import keep_files_private
    from vigie_devkit.local.beside import beside
    from vigie_devkit.local.bundle import find_bundle
    from vigie_devkit.local.command_line import without_passwords
    from vigie_devkit.local.endings import end_with_starter
    from vigie_devkit.local.secret_values import secret_values
    from vigie_devkit.local.sources import read_sources

    keep_files_private()
    if not all(word.strip() for word in args.sources):
        raise UsageError("a SOURCE is empty; name a file, an rtsp:// URL or synthetic://conveyor, or leave it out")
    without_passwords(args.sources)
    values = secret_values(args.secret, os.environ)
    cameras = read_sources(args.sources, values)
    values.forget([name for camera in cameras for name in camera.secrets])
    if args.loop and all(camera.live for camera in cameras):
        raise UsageError("--loop begins files again, and none of the sources is a file")
    bundle, *others = [find_bundle(one) for one in args.model or [None]]
    models = beside(bundle, others) if others else []
    if not end_with_starter():
        return 128 + signal.SIGTERM
    run, lock = claim_run(args.run)
    try:
        return run_it(args, run, cameras, bundle, models)
    finally:
        os.close(lock)


def run_it(
    args: argparse.Namespace, run: RunPaths, cameras: list[CameraSource], bundle: Path, models: list[Beside]
) -> int:
    import asyncio

    from vigie.contracts.names import FLOW, VIEWER
    from vigie_devkit.local.address import choose_page
    from vigie_devkit.local.beside import releases
    from vigie_devkit.local.frame_folders import remove_dead_frames
    from vigie_devkit.local.leftovers import clear_leftovers
    from vigie_devkit.local.manifest import flow_order, override
    from vigie_devkit.local.page import open_when_served, page_url
    from vigie_devkit.local.prepare import forget_secrets, prepare
    from vigie_devkit.local.session import LocalRun
    from vigie_devkit.local.status import Status
    from vigie_devkit.local.summary import describe

    if args.record and args.viewer is False:
        raise UsageError("--record takes its pictures from the page: leave --no-viewer out")
    viewer = bool(args.open or args.record or (not args.json if args.viewer is None else args.viewer))
    recording = recording_of(args, [camera.name for camera in cameras])
    claim: socket.socket | None = None
    status = Status(sys.stderr, [camera.name for camera in cameras], bundle.name)
    if viewer:
        address, claim = choose_page()
        run.page.write_text(address, encoding="utf-8")
        status.note(f"vigie: page {page_url(run)}")
    told = [f"{camera.name} = {camera.url}" for camera in cameras]
    served = ", beside it ".join([bundle.name, *(one.name for one in models)])
    told.append(f"model {served}; run '{run.name}', state and logs in {shown(run.folder)}; Ctrl-C ends it")
    found = [*clear_leftovers(run), *remove_dead_frames(frames_root())]
    for words in [*told, *(f"cleaned up after a run that was killed: {one}" for one in found)]:
        status.note(f"vigie: {words}")
    manifest = manifest_for(args, cameras, bundle, viewer=viewer, more=releases(models, run.releases))
    if recording is not None:
        override(manifest, VIEWER, {"fps": recording.fps, "width": recording.width})
    try:
        prepare(run, manifest, cameras, keep=args.keep)
        if args.open:
            open_when_served(run)
        plan = plan_for(args, run, cameras, bundle, models, modules=flow_order(manifest, FLOW))
        outcome = asyncio.run(LocalRun(plan, status, recording).go())
    finally:
        forget_secrets(run.secrets)
        clear_leftovers(run)
        if claim is not None:
            claim.close()
    for words in [*(recording.in_words() if recording else ()), *filter(None, [outcome.complaint])]:
        status.note(f"vigie: {words}")
    if args.json:
        sys.stdout.write(json.dumps(outcome.summary.as_json(), separators=(",", ":")) + "\n")
    elif outcome.summary.frames_captured:
        show_text(describe(outcome.summary))
        status.note("\n".join(next_steps(run.name)))
    return outcome.exit_code


def manifest_for(
    args: argparse.Namespace,
    cameras: list[CameraSource],
    bundle: Path,
    *,
    viewer: bool,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The template rendered for this machine and this command line."""
    from vigie.contracts.names import ACTIONS, EVIDENCE, VIEWER
    from vigie_devkit.local.manifest import leave_out, local_manifest

    # A video of a run shows it as it was: a file plays at its own pace, unless told otherwise. Else so many frames
    # asked for are so many inferred: none is dropped for a newer one, where the source can wait.
    pace: Pace | None = args.pace or ("realtime" if args.record else "max" if args.frames is not None else None)
    settings = {c.name: c.settings(pace=pace, loop=args.loop, frames=args.frames) for c in cameras}
    manifest = local_manifest(os.environ, settings, bundle, score=args.score, upstream=args.upstream, releases=more)
    wanted = {VIEWER: viewer, ACTIONS: args.actions, EVIDENCE: args.evidence}
    for module in [name for name, on in wanted.items() if not on]:
        leave_out(manifest, module)
    return manifest


def recording_of(args: argparse.Namespace, cameras: list[str]) -> Recording | None:
    """What ``--record`` asks for. Raises: UsageError: not an .mp4 file, or it cannot be made."""
    if not args.record:
        return None
    from vigie_devkit.local.recording import Recording

    path = Path(args.record)
    if path.suffix.lower() != ".mp4":
        raise UsageError(f"--record writes MP4: name a file that ends in .mp4, not {args.record!r}")
    return Recording(path, cameras)


def next_steps(name: str) -> list[str]:
    """What to look at after a run: commands, and what each is for."""
    which = "" if name == DEFAULT_RUN else f" --run {name}"
    commands = {
        f"./vigie upstream export{which} --output events.jsonl": "sent to the cloud",
        f"./vigie logs{which}": "of the modules",
        "./vigie up --open": "live, in the browser",
        "./vigie twin set inference '{\"score\": 0.5}'": "while it runs",
    }
    width = max(map(len, commands))
    labels = ["next", *[""] * (len(commands) - 1)]
    return [f"{label:<12}{one:<{width}}  {why}" for label, (one, why) in zip(labels, commands.items(), strict=True)]


def plan_for(
    args: argparse.Namespace,
    run: RunPaths,
    cameras: list[CameraSource],
    bundle: Path,
    models: list[Beside],
    *,
    modules: list[str],
) -> RunPlan:
    from vigie_devkit.local.address import choose_address
    from vigie_devkit.local.session import RunPlan

    return RunPlan(
        run=run,
        cameras=cameras,
        modules=modules,
        bundle=bundle,
        beside=models,
        listen=choose_address(str(run.folder)),
        seconds=args.seconds,
        finite=args.frames is not None or not (args.loop or any(camera.live for camera in cameras)),
    )


def shown(path: Path) -> str:
    """A path as short as it can be said: relative to where the person is, or to the checkout."""
    for base in (Path.cwd(), CHECKOUT):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
