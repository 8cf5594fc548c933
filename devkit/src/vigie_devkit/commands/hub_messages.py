"""`vigie hub send` and `vigie hub watch`: messages by hand."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.local.hub_option import add_hub_options, hub_state


def add_send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("module", nargs="?", help="module whose input gets the message")
    parser.add_argument("input", nargs="?", help="name of the input")
    parser.add_argument("body", help="text of the message; - reads standard input, @FILE a file")
    parser.add_argument(
        "--as",
        nargs=2,
        dest="sender",
        metavar=("MODULE", "OUTPUT"),
        help="send as this module's output instead, so that the routes decide where it goes",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="send from the cloud to this leaf device instead (a cloud-to-device message)"
    )
    parser.add_argument(
        "--property", action="append", default=[], metavar="K=V", help="application property; may be repeated"
    )
    parser.add_argument(
        "--content-type", default="application/json", metavar="TYPE", help="default: %(default)s; empty for none"
    )
    parser.add_argument("--content-encoding", default="utf-8", metavar="NAME", help="default: %(default)s")
    add_hub_options(parser)


def add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("module", nargs="?", help="only messages of this module")
    parser.add_argument("output", nargs="?", help="only messages of this output")
    parser.add_argument("--count", type=int, metavar="N", help="end after N messages")
    add_hub_options(parser)


def send(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    if args.device is not None:
        return _send_to_device(args)
    if args.sender is None and args.input is None:
        raise UsageError("name the module and its input, the sender (--as MODULE OUTPUT) or --device NAME")
    if args.sender is not None and args.module is not None:
        raise UsageError(f"--as {' '.join(args.sender)} goes by the routes; leave out '{args.module}'")
    place = (
        {"module": args.module, "input": args.input}
        if args.sender is None
        else {"module": args.sender[0], "output": args.sender[1]}
    )
    message: dict[str, Any] = place | _body(args.body) | {"properties": dict(map(_pair, args.property))}
    if args.content_type:
        message |= {"content_type": args.content_type, "content_encoding": args.content_encoding}
    reached = ServiceClient.open(hub_state(args)).send_message(**message)
    if not reached:
        sys.stderr.write(f"vigie: no route takes output '{message['output']}' of module '{message['module']}'\n")
        return Exit.NO_FLOW
    print(f"sent to {reached} endpoint{'' if reached == 1 else 's'}")
    return Exit.OK


def _send_to_device(args: argparse.Namespace) -> int:
    import base64

    from vigie_edgehub.service.client import ServiceClient

    if args.sender is not None or args.module is not None:
        raise UsageError("--device goes from the cloud to the device; leave out module, input and --as")
    told = _body(args.body)
    body = base64.b64decode(told["body"]) if "body_encoding" in told else told["body"].encode()
    headers = {f"iothub-app-{name}": value for name, value in map(_pair, args.property)}
    headers["Content-Type"] = args.content_type
    if args.content_type:
        headers["iothub-contentencoding"] = args.content_encoding
    ServiceClient.open(hub_state(args)).send_to_device(args.device, body, headers)
    print(f"waits for device {args.device} for up to an hour")
    return Exit.OK


def watch(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient
    from vigie_edgehub.upstream.record import to_json_line

    for number, record in enumerate(ServiceClient.open(hub_state(args)).watch(args.module, args.output), 1):
        print(to_json_line(record).decode(), end="", flush=True)
        if number == args.count:
            break
    return Exit.OK


def _body(text: str) -> dict[str, str]:
    import base64
    from pathlib import Path

    try:
        whole = sys.stdin.buffer.read() if text == "-" else Path(text[1:]).read_bytes() if text[:1] == "@" else None
    except OSError as error:
        raise UsageError(f"cannot read {text[1:]} ({error.strerror})") from error
    if whole is None:
        return {"body": text}
    return {"body": base64.b64encode(whole).decode(), "body_encoding": "base64"}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--property {text!r}: expected NAME=VALUE")
    return name, value
