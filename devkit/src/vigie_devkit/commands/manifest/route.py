"""`vigie manifest route SOURCE`: where a message goes, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vigie_devkit.commands.manifest.parsing import TEMPLATE, read_json
from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.verb import add_verb_parser


def add_verb(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs,
        "route",
        "say where a message goes, and why",
        "./vigie manifest route sync/telemetry --body '{\"items\": []}' --props level=alert",
        run,
    )
    parser.add_argument("source", help="MODULE/OUTPUT, MODULE, or a source path such as /twinChangeNotifications")
    parser.add_argument("--manifest", type=Path, default=TEMPLATE, metavar="FILE", help="default: the template")
    parser.add_argument("--body", metavar="JSON|-", help="the message's body; - reads it from stdin")
    parser.add_argument("--props", nargs="+", default=[], metavar="K=V", help="application properties")
    parser.add_argument(
        "--system", nargs="+", default=[], metavar="K=V", help="system properties, e.g. contentType=text/plain"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def run(args: argparse.Namespace) -> int:
    import msgspec

    from vigie_devkit.manifest.errors import ManifestError
    from vigie_devkit.manifest.explain import explain, message_for
    from vigie_edgehub.errors import HubConfigRefusedError
    from vigie_edgehub.manifest import EDGE_HUB, parse_manifest
    from vigie_edgehub.ports import ManifestRefusedError
    from vigie_edgehub.routes.config import parse_edgehub_desired

    content = read_json(args.manifest)
    try:
        manifest = parse_manifest(content)
        config = parse_edgehub_desired(manifest.desired[EDGE_HUB])
    except (ManifestRefusedError, HubConfigRefusedError) as refusal:
        raise ManifestError(str(args.manifest), str(refusal), "see ./vigie manifest lint") from refusal
    body = None if args.body is None else (sys.stdin.read() if args.body == "-" else args.body).encode()
    message = message_for(args.source, body, _pairs("--props", args.props), _pairs("--system", args.system))
    found = explain(config, manifest.modules, message)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return Exit.OK if found.copies else 1
    print(f"from {found.source}")
    for copy in found.copies:
        waits = "for ever" if copy.ttl_s is None else f"at most {copy.ttl_s} s"
        priority = copy.priority if copy.priority < 10 else "none"
        print(f"  to {copy.endpoint}, by route {copy.route!r} (priority {priority}, waits {waits})")
    for warning in found.warnings:
        print(f"  {warning}")
    for verdict in found.verdicts:
        print(f"  {'+' if verdict.taken else '-'} {verdict.route}: {verdict.why}")
    return Exit.OK if found.copies else 1


def _pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise UsageError(f"{option} {word!r} is not NAME=VALUE")
    return dict(word.split("=", 1) for word in words)
