"""``vigie snapshot``: a picture of a running camera, with what was seen in it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie_devkit.local.errors import Exit, LocalError, UsageError
from vigie_devkit.local.paths import add_run_option, find_run, is_running

if TYPE_CHECKING:
    from vigie_devkit.local.page_pictures import PagePicture

_EPILOG = """examples:
  ./vigie snapshot -o dock.jpg                   the camera, if there is one only
  ./vigie snapshot dock --boxes -o dock.png      with what was seen in that very frame

The pictures are those of the run's page, so a run without the page (--no-viewer) has none; the method
`./vigie method camera snapshot '{"camera": "dock"}'` answers there, as it does on a device.
exit codes: 0 written; 1 no picture came in time; 2 the command line is wrong; 3 no run
"""
_WITHIN_S = 15.0
_ENDINGS = (".jpg", ".jpeg", ".png")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "snapshot",
        help="a picture of a running camera, with boxes",
        description="Write the next picture of a camera of a running system.",
        epilog=_EPILOG,
    )
    parser.add_argument("camera", nargs="?", help="its name (default: the only one)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="a .jpg or .png file")
    parser.add_argument("--boxes", action="store_true", help="draw what was seen in this frame")
    add_run_option(parser)
    parser.set_defaults(handler=snapshot)


def snapshot(args: argparse.Namespace) -> int:
    import asyncio

    import cv2

    from vigie.vision.draw import draw_detections
    from vigie_devkit.local.page import page_url
    from vigie_devkit.local.record import read_record

    if args.output.suffix.lower() not in _ENDINGS:
        raise UsageError(f"-o names a picture: a file that ends in .jpg or .png, not {str(args.output)!r}")
    run = find_run(args)
    record = read_record(run.record)
    if not is_running(run) or record is None:
        raise LocalError(f"run '{run.name}' has ended; start one: ./vigie up")
    if not run.page.exists():
        raise LocalError(f"run '{run.name}' has no page; start it without --no-viewer (with --json: add --viewer)")
    camera = _camera(args.camera, list(record.sources))
    try:
        picture = asyncio.run(_next(page_url(run), camera, with_boxes=args.boxes))
    except TimeoutError:
        seen = "in which inference looked for objects " if args.boxes else ""
        raise LocalError(f"no picture of '{camera}' {seen}came within {_WITHIN_S:g} s; see ./vigie logs") from None
    frame_bgr = picture.frame_bgr()
    if args.boxes and picture.detections is not None:
        draw_detections(frame_bgr, picture.detections, picture.frame_hw)
    encoded, content = cv2.imencode(args.output.suffix.lower(), frame_bgr)
    if not encoded:
        raise LocalError(f"the picture cannot be encoded as {args.output.suffix}")
    try:
        args.output.write_bytes(content.tobytes())
    except OSError as error:
        raise UsageError(f"cannot write {args.output} ({error.strerror})") from error
    height, width = frame_bgr.shape[:2]
    found = "" if picture.detections is None else f", {len(picture.detections)} objects"
    sys.stdout.write(f"{args.output}: {camera} frame {picture.seq}, {width}x{height}{found}\n")
    return Exit.OK


async def _next(address: str, camera: str, *, with_boxes: bool) -> PagePicture:
    """The next picture; with boxes: the next in which objects were looked for. Raises: TimeoutError, PageError."""
    import asyncio

    from vigie_devkit.local.page_pictures import page_pictures
    from vigie_devkit.local.recording import WIDTH_MAX

    async with asyncio.timeout(_WITHIN_S):
        async for picture in page_pictures(address, [camera], width=WIDTH_MAX, fps=5.0, wait_s=_WITHIN_S):
            if picture.detections is not None or not with_boxes:
                return picture
    raise TimeoutError


def _camera(asked: str | None, known: list[str]) -> str:
    """Raises: UsageError: it is not one of this run's, or there are several and none is named."""
    if asked is None:
        if len(known) == 1:
            return known[0]
        raise UsageError(f"name a camera: {', '.join(sorted(known)) or 'this run has none'}")
    # A camera that a twin added is not in the record: the page knows it.
    return asked
