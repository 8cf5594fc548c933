"""`vigie upstream tail|export`: what reached `$upstream`, read from the hub's record on disk.

The record is read directly, not over the hub's REST: so it works while the hub runs and after it stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vigie.plurals import counted
from vigie.terminal import columns_of
from vigie_devkit.local.errors import Exit, LocalError, UsageError
from vigie_devkit.local.hub_option import add_hub_options, hub_state

if TYPE_CHECKING:
    from vigie_edgehub.upstream import UpstreamRecord

_BODY, _BODY_LEAST = 120, 60  # characters of a body that are shown beside the rest
_INDENT = " " * 10

_EXAMPLES = """examples:
  ./vigie upstream tail                                the last 10 messages, each shortened
  ./vigie upstream tail --follow --json                everything new, as JSON Lines, until Ctrl-C
  ./vigie upstream export --output events.jsonl        everything recorded, as JSON Lines
  ./vigie upstream export --module sync --since 2026-11-20T08:00:00Z | jq .body
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "upstream",
        help="what reached the cloud side",
        description="Messages that reached $upstream, in the shape of IoT Hub's built-in endpoint (docs/hub.md).",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="tail|export", required=True)
    tail = verbs.add_parser(
        "tail",
        help="the newest messages",
        epilog="example:\n  ./vigie upstream tail --follow --last 3",
    )
    tail.add_argument("--follow", "-f", action="store_true", help="continue with new messages until Ctrl-C")
    tail.add_argument("--last", "-n", type=int, default=10, metavar="N", help="start N messages back (default 10)")
    tail.add_argument("--json", action="store_true", help="whole messages as JSON Lines")
    export = verbs.add_parser(
        "export",
        help="everything, as JSON Lines",
        epilog="example:\n  ./vigie upstream export --since 2026-11-20T08:00:00Z --output morning.jsonl",
    )
    export.add_argument("--since", metavar="TIME", help="enqueued at or after; ISO 8601, or seconds since the epoch")
    export.add_argument("--until", metavar="TIME", help="enqueued before")
    export.add_argument("--after", type=int, default=0, metavar="N", help="sequence number above N")
    export.add_argument("--output", metavar="FILE", type=Path, help="file to write (default: stdout)")
    for verb in (tail, export):
        verb.add_argument("--module", metavar="NAME", help="only messages of this module")
        add_hub_options(verb)
        verb.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    from vigie_edgehub.upstream import UpstreamFilter, UpstreamReader, record_file

    wanted = UpstreamFilter(
        module=args.module,
        since=_time(getattr(args, "since", None), "--since"),
        until=_time(getattr(args, "until", None), "--until"),
    )
    with UpstreamReader(record_file(hub_state(args))) as reader:
        if args.verb == "export":
            return _export(reader.read(wanted, after=args.after), args.output)
        after = reader.start_of_last(args.last, wanted)
        records = reader.follow(wanted, after=after) if args.follow else reader.read(wanted, after=after)
        return _tail(records, as_json=args.json)


def _tail(records: Iterable[UpstreamRecord], *, as_json: bool) -> int:
    from vigie_edgehub.upstream import to_json_line

    for record in records:
        width = columns_of(sys.stdout) if sys.stdout.isatty() else None
        sys.stdout.write(to_json_line(record).decode() if as_json else "\n".join(_lines(record, width)) + "\n")
        sys.stdout.flush()
    return Exit.OK


def _export(records: Iterable[UpstreamRecord], output: Path | None) -> int:
    """Write all; a file appears under its name only when it is whole."""
    from vigie_edgehub.upstream import to_json_line

    if output is None:
        _write(sys.stdout.buffer, (to_json_line(record) for record in records))
        return Exit.OK
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as out:
            count = _write(out, (to_json_line(record) for record in records))
        unfinished.replace(output)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ExportError(f"cannot write {output} ({error.strerror})") from error
    sys.stderr.write(f"{counted(count, 'message')} in {output}\n")
    return Exit.OK


class ExportError(LocalError):
    exit_code = Exit.ENVIRONMENT


def _write(out: BinaryIO, lines: Iterable[bytes]) -> int:
    count = 0
    for line in lines:
        out.write(line)
        count += 1
    out.flush()
    return count


def _lines(record: UpstreamRecord, width: int | None) -> list[str]:
    """Who sent it when, and how the body begins; ``width``: of the terminal, None for a pipe, which gets one line.

    A body that would have little room beside the rest begins in the line below.
    """
    head = f"{record.sequence_number:>8}  {record.enqueued_time}  {_sender(record)}/{record.output or '-'}"
    body = bytes(record.body).decode()
    if width is None:
        return [f"{head}  {_begin(body, _BODY)}"]
    if width >= len(head) + 2 + min(len(body), _BODY_LEAST):
        return [f"{head}  {_begin(body, min(_BODY, width - len(head) - 2))}"]
    return [head, f"{_INDENT}{_begin(body, width - len(_INDENT))}"]


def _begin(body: str, room: int) -> str:
    return body if len(body) <= room else f"{body[: room - 2]}.."


def _time(text: str | None, option: str) -> float | None:
    """Seconds since the epoch; a time without zone is this machine's local time."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageError(
            f"{option} takes a time such as 2026-11-20T08:00:00Z or seconds since the epoch, got '{text}'"
        ) from None


def _sender(record: UpstreamRecord) -> str:
    return record.module or f"device {record.system_properties.get('iothub-connection-device-id', '?')}"
