"""`vigie twin get|set`: look at a module's twin, or change its desired properties."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.local.hub_option import add_hub_options, hub_state

if TYPE_CHECKING:
    from vigie_edgehub.service.client import ServiceClient

_EXAMPLES = """examples:
  ./vigie twin get camera                                   the whole twin, as the service shows it
  ./vigie twin get camera --reported                        only what the module reports
  ./vigie twin set inference '{"score": 0.5}'               merge into the desired properties
  ./vigie twin set camera cameras.json --wait               from a file; wait for the module's acknowledgement
  echo '{"score": null}' | ./vigie twin set inference -     null removes a key

exit codes: 0 done, 1 refused (by the hub, or by the module with --wait), 2 not JSON, 3 no hub
"""
_WAIT_S = 10.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "twin",
        help="look at a module's twin or change it",
        description="Twins over the local hub's service REST, as cloud tools use it.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="get|set", required=True)
    get = verbs.add_parser(
        "get",
        help="print a twin",
        epilog="example:\n  ./vigie twin get camera --reported",
    )
    get.add_argument("module", help="module id; '.' is the device itself, /NAME a leaf device")
    part = get.add_mutually_exclusive_group()
    part.add_argument("--desired", action="store_const", const="desired", dest="part", help="only desired properties")
    part.add_argument("--reported", action="store_const", const="reported", dest="part", help="only reported ones")
    add_hub_options(get)
    get.set_defaults(handler=run)
    change = verbs.add_parser(
        "set",
        help="merge JSON into the desired properties",
        epilog=_EXAMPLES,
    )
    change.add_argument("module", help="module id; '.' is the device itself, /NAME a leaf device")
    change.add_argument("patch", nargs="?", default="-", metavar="JSON|FILE|-", help="a JSON object (default: stdin)")
    change.add_argument("--etag", help="change only if the twin still has this etag")
    change.add_argument(
        "--wait",
        nargs="?",
        type=float,
        const=_WAIT_S,
        metavar="SECONDS",
        help=f"wait for the module's acknowledgement (default {_WAIT_S:.0f} s) and print it instead of the twin",
    )
    add_hub_options(change)
    change.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    from vigie_edgehub.service.client import ServiceClient

    module = None if args.module == "." else args.module
    if args.verb == "get":
        twin = ServiceClient.open(hub_state(args)).twin(module)
        _print(twin["properties"][args.part] if args.part else twin)
        return Exit.OK
    patch = read_json_object(args.patch)
    client = ServiceClient.open(hub_state(args))
    twin = client.patch_twin(module, {"properties": {"desired": patch}}, etag=args.etag)
    if args.wait is None:
        _print(twin)
        return Exit.OK
    return _show_acknowledgement(client, args.module, patch, twin["properties"]["desired"]["$version"], args.wait)


def read_json_object(text: str) -> dict[str, Any]:
    """Return the object that ``text`` is, or that the file of that name (``-``: stdin) holds.

    Raises: UsageError: it is none.
    """
    where = "the argument"
    if text == "-":
        where, text = "stdin", sys.stdin.read()
    elif not text.lstrip().startswith(("{", "[")):
        where = text
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"'{where}' is neither a JSON object nor a file that can be read ({error})") from error
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON{_place(text, error)}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{where} must hold a JSON object, not {type(value).__name__}")
    return value


def _place(text: str, error: Exception) -> str:
    """Where ``text`` stops being JSON: line and column, or ``error`` where the standard parser takes it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        return f": line {found.lineno}, column {found.colno}: {found.msg}"
    except RecursionError:
        pass
    return f" ({error})"


def _show_acknowledgement(
    client: ServiceClient, module: str, patch: dict[str, Any], version: int, wait_s: float
) -> int:
    """Print what the module says about version ``version``: ``{path: {value, ac, av, ad}}``."""
    deadline = time.monotonic() + wait_s
    while True:
        reported = client.twin(None if module == "." else module)["properties"]["reported"]
        found = {path: ack for path, ack in acknowledgements(reported, patch) if ack["av"] >= version}
        if found:
            _print(found)
            return Exit.OK if all(200 <= ack["ac"] < 300 for ack in found.values()) else 1
        if time.monotonic() > deadline:
            sys.stderr.write(
                f"vigie: {module} did not acknowledge version {version} within {wait_s:g} s; "
                f"the hub has it, the module gets it when it connects\n"
            )
            return 1
        time.sleep(0.1)


def acknowledgements(
    reported: dict[str, Any], patch: dict[str, Any], at: str = "$"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the Plug and Play acknowledgements below the keys that ``patch`` touches."""
    for key, below in patch.items():
        inside = reported.get(key)
        if not isinstance(inside, dict):
            continue
        if isinstance(inside.get("ac"), int) and isinstance(inside.get("av"), int):
            yield f"{at}.{key}", inside
        elif isinstance(below, dict):
            yield from acknowledgements(inside, below, f"{at}.{key}")


def _print(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
