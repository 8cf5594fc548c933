"""`vigie method`: call a direct method of a module."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.local.hub_option import add_hub_options, hub_state

_EXAMPLES = """examples:
  ./vigie method camera get_status                       no payload
  ./vigie method inference get_status '{}'               a JSON payload
  ./vigie method camera snapshot @request.json           a payload from a file
  ./vigie method camera get_status --connect-timeout 20  wait for a module that is still starting

The reply's payload goes to stdout. exit codes: 0 the module answered 200..299; 1 it answered another status, or the
hub could not reach it; 2 the payload is not JSON; 3 no hub
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "method",
        help="call a direct method of a module",
        description="A direct method over the local hub's service REST, as cloud tools call it.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("module", help="module id; /NAME is a leaf device")
    parser.add_argument("name", help="method name")
    parser.add_argument("payload", nargs="?", metavar="JSON|@FILE", help="any JSON value (default: none)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="wait for the answer (5..300, default 30)")
    parser.add_argument(
        "--connect-timeout", type=float, metavar="SECONDS", help="wait for the module to connect (0..300, default 0)"
    )
    add_hub_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    payload = _payload(args.payload)
    client = ServiceClient.open(hub_state(args))
    reply = client.invoke_method(
        args.module,
        args.name,
        payload,
        response_timeout_s=args.timeout,
        connect_timeout_s=args.connect_timeout,
    )
    print(bytes(reply.payload).decode())
    if 200 <= reply.status < 300:
        return Exit.OK
    sys.stderr.write(f"vigie: {args.module}.{args.name} answered status {reply.status}\n")
    return 1


def _payload(text: str | None) -> bytes:
    """Return the JSON text of the payload as it was given. Raises UsageError: it is no JSON."""
    if text is None:
        return b""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the payload file '{text[1:]}' cannot be read ({error})") from error
    import msgspec

    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"the payload is not JSON ({error}); quote it for the shell, as in '{{\"n\": 1}}'") from error
    return text.encode()
