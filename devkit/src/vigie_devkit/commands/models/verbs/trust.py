"""``vigie models trust``: the file that says whose bundles a device takes."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vigie.terminal import show_text
from vigie_devkit.verb import add_verb_parser

EXAMPLE = "./vigie models trust models.json --add release.pub.pem --name acme-release"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(verbs, "trust", "make keys, and say whose bundles a device takes", EXAMPLE, _trust)
    verb.add_argument("file", type=Path, help="trusted keys; on a device /etc/vigie/trust/models.json")
    # argparse keeps alternatives in one line, however long it gets.
    verb.usage = (
        "vigie models trust [-h] [--name NAME] [--not-after DAY]\n"
        "  [--new-key KEY | --add PUBLIC | --revoke NAME | --require {on,off} |\n"
        "   --check BUNDLE]\n"
        "  file"
    )
    what = verb.add_mutually_exclusive_group()
    what.add_argument("--new-key", type=Path, metavar="KEY", help="make a pair, and trust it under --name")
    what.add_argument("--add", type=Path, metavar="PUBLIC", help="trust a public key (PEM) under --name")
    what.add_argument("--revoke", metavar="NAME", help="refuse everything that NAME ever signed")
    what.add_argument("--require", choices=("on", "off"), help="whether unsigned bundles are refused")
    what.add_argument("--check", metavar="BUNDLE", help="what a device with this file says of a bundle")
    verb.add_argument("--name", help="whose key it is, as reported by devices")
    verb.add_argument("--not-after", type=_day, metavar="DAY", help="signatures after this day (UTC) do not count")


def _trust(args: argparse.Namespace) -> int:
    from vigie_devkit.models import keys, trusting

    file: Path = args.file
    if (args.new_key or args.add) and not args.name:
        print("--name: say whose key it is")
        return 2
    if args.new_key:
        trusting.opened_trust(file)  # refused before a key is made
        public, _ = keys.make_pair(args.new_key)
        added = trusting.add_key(file, args.name, keys.read_public(public), args.not_after)
        print(f"key {added.id}: private {args.new_key} (keep it), public {public}")
    elif args.add:
        trusting.add_key(file, args.name, keys.read_public(args.add), args.not_after)
    elif args.revoke:
        trusting.revoke(file, args.revoke)
    elif args.require:
        trusting.require(file, signature=args.require == "on")
    elif args.check:
        return _check(file, args.check)
    show_text("\n".join(trusting.lines(trusting.opened_trust(file))))
    return 0


def _check(file: Path, bundle: str) -> int:
    from vigie.models import load_bundle
    from vigie.models.trust import judge, read_trust
    from vigie_devkit.models.shelf import find_on_shelf

    signed = judge(load_bundle(find_on_shelf(bundle)), read_trust(file))
    if signed.state == "trusted":
        print(f"trusted: signed by {signed.name} (key {signed.key}) at {signed.signed_at}")
    else:
        print(f"{signed.state}: taken, because this file does not require a signature")
    return 0


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a day such as 2027-12-31, got {text!r}") from error
