"""``vigie cameras``: which ONVIF cameras answer on this network, and the sources to write into the twin."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.local.errors import CamerasError, Exit

if TYPE_CHECKING:
    from vigie_devkit.onvif.discovery import FoundDevice
    from vigie_devkit.onvif.soap import Login

_EXAMPLES = """examples:
  ./vigie cameras discover                                        who answers on the local network
  ./vigie cameras discover --user viewer --password-file dock.txt      also their streams: sources for the twin
  ./vigie cameras discover --address 10.0.0.7 --json              one camera, in another network too
"""
_PORT = 3702


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "cameras",
        help="find ONVIF cameras on the local network",
        description="Ask the local network (WS-Discovery) for ONVIF cameras, and each of them for its streams.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="discover", required=True)
    discover = verbs.add_parser("discover", help="list them", epilog="example:\n  ./vigie cameras discover --seconds 5")
    discover.add_argument("--seconds", type=float, default=3.0, metavar="S", help="listen for S seconds (default 3)")
    discover.add_argument(
        "--address", action="append", default=[], metavar="HOST[:PORT]", help="ask this host instead of the network"
    )
    discover.add_argument(
        "--interface", action="append", default=[], metavar="IP", help="ask from this address of this machine"
    )
    discover.add_argument("--user", metavar="NAME", help="the cameras' user, to ask for their streams")
    discover.add_argument("--password-file", type=Path, metavar="FILE", help="a file with that user's password")
    discover.add_argument("--json", action="store_true", help="one JSON object per camera and line")
    discover.set_defaults(handler=_discover)


def _discover(args: argparse.Namespace) -> int:
    import json

    from vigie_devkit.onvif.discovery import GROUP, discover

    targets = [_target(text) for text in args.address] or [GROUP]
    login = _login(args)
    try:
        found = discover(targets, args.seconds, args.interface)
    except OSError as error:
        raise CamerasError(f"cannot ask from here ({error.strerror}); see --interface", Exit.ENVIRONMENT) from error
    for device in found:
        described = _described(device, login)
        if args.json:
            print(json.dumps(described))
        else:
            show_text(_text(described))
    if not found and not args.json:
        print(
            "no ONVIF camera answered; multicast reaches this network segment only (and leaves no bridged container): "
            "try --address"
        )
    return 0 if found else 1


def _described(device: FoundDevice, login: Login | None) -> dict[str, Any]:
    from vigie_devkit.onvif.camera import best, profiles_of
    from vigie_devkit.onvif.soap import OnvifError

    described: dict[str, Any] = {
        "address": device.address,
        "name": device.name,
        "hardware": device.hardware,
        "service": device.service,
    }
    try:
        profiles = profiles_of(device.service, login)
    except OnvifError as error:
        return {**described, "reason": str(error)}
    chosen = best(profiles)
    described["profiles"] = [
        {
            "name": one.name,
            "codec": one.codec,
            "size": f"{one.size_wh[0]}x{one.size_wh[1]}" if one.size_wh else None,
            "fps": one.fps,
            "source": one.uri or None,
            "reason": one.reason or None,
            "best": one is chosen,
        }
        for one in profiles
    ]
    return described


def _text(described: dict[str, Any]) -> str:
    head = "  ".join(str(described[key]) for key in ("address", "name", "hardware") if described[key])
    if "reason" in described:
        hint = "; see --user and --password-file" if "password" in described["reason"] else ""
        return f"{head}\n    streams not known: {described['reason']}{hint}"
    lines = [head]
    for one in described["profiles"]:
        what = " ".join(str(part) for part in (one["codec"], one["size"], one["fps"] and f"{one['fps']:g} fps") if part)
        mark = "*" if one["best"] else " "
        lines.append(f"  {mark} {one['source'] or one['reason']}    {what}  {one['name']}")
    return "\n".join(lines)


def _target(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host or (port and not port.isdigit()):
        raise CamerasError(f"--address: expected HOST or HOST:PORT, got {text!r}", Exit.USAGE)
    return host, int(port or _PORT)


def _login(args: argparse.Namespace) -> Login | None:
    from vigie_devkit.onvif.soap import Login

    if (args.user is None) != (args.password_file is None):
        raise CamerasError("--user and --password-file go together", Exit.USAGE)
    if args.user is None:
        return None
    try:
        password = args.password_file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CamerasError(
            f"{args.password_file}: cannot be read ({type(error).__name__})", Exit.ENVIRONMENT
        ) from error
    return Login(args.user, password)
