"""``vigie unseal``: clips of a device with a key, as files that any player opens."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

_EXAMPLE = "example: ./vigie unseal clips/dock-20261128T101500.000Z.mp4 --key ./device-key --output evidence"


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "unseal",
        help="open clips that a device sealed with its key",
        description="Write clips, and the facts beside them, in the clear. Each clip is compared with its sha256.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="copies of clips (.mp4 with its .json)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the device's keys (default: $VIGIE_AT_REST_KEY)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.set_defaults(handler=_unseal)


def _unseal(args: argparse.Namespace) -> int:
    import hashlib
    import tempfile

    import msgspec

    from vigie.clip_files import clip_chunks, read_facts
    from vigie.contracts.clips import FACTS_SUFFIX
    from vigie.errors import SealedError
    from vigie.private_files import keep_files_private
    from vigie.sealing import VARIABLE, BrokenSealError, read_seals
    from vigie_devkit.local.errors import UsageError

    keep_files_private()
    seals = read_seals({VARIABLE: str(args.key)} if args.key is not None else os.environ)
    args.output.mkdir(parents=True, exist_ok=True)
    for clip in args.clips:
        target = args.output / clip.name
        if target.exists():
            raise UsageError(f"{target} exists; name another folder")
        digest = hashlib.sha256()
        # In a folder of its own: whatever ends this, nothing half written is left, and nothing else is touched.
        with tempfile.TemporaryDirectory(dir=args.output, prefix=".unseal-") as folder:
            part = Path(folder, clip.name)
            try:
                facts = read_facts(clip, seals)
                with part.open("xb") as file:
                    for chunk in clip_chunks(clip, seals):
                        digest.update(chunk)
                        file.write(chunk)
            except (BrokenSealError, SealedError, OSError) as error:
                raise UsageError(f"{clip}: {error}") from error
            if digest.hexdigest() != facts.sha256:
                raise UsageError(f"{clip}: the content is not the one that its facts name")
            part.replace(target)
        target.with_suffix(FACTS_SUFFIX).write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        print(f"{target}: {facts.camera}, {facts.started_at}, {facts.seconds:g} s, sha256 {facts.sha256}")
    return 0
