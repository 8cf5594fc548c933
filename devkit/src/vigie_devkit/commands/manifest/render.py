"""`vigie manifest render`: the template as a manifest for one platform."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from vigie_devkit.commands.manifest.parsing import HARDWARE, MODULES, TEMPLATE, read_json
from vigie_devkit.local.errors import Exit
from vigie_devkit.verb import add_verb_parser


def add_verb(verbs: Any) -> None:
    parser = add_verb_parser(
        verbs,
        "render",
        "fill the template's placeholders for one platform; createOptions in pieces of 512 characters",
        "./vigie manifest render --platform arm64v8 --registry r.example.com/vigie --tag 1.2.3 -o deployment.json",
        run,
    )
    parser.add_argument("template", nargs="?", type=Path, default=TEMPLATE, help="default: deployment.template.json")
    parser.add_argument("-P", "--platform", required=True, metavar="KEY", help="key of the modules' module.json")
    parser.add_argument("--registry", metavar="R", help="CONTAINER_REGISTRY_SERVER; '' for images of this machine")
    parser.add_argument("--tag", metavar="T", help="version of all images; default: each module.json's")
    parser.add_argument("--env", type=Path, metavar="FILE", help="NAME=value lines, before the environment")
    parser.add_argument(
        "--hardware", metavar="CLASS", help="a class of deploy/hardware, or none; default: the platform's"
    )
    parser.add_argument(
        "--patch", nargs="+", type=Path, default=[], metavar="FILE", help="merged in first: deploy/patches"
    )
    parser.add_argument("--layer", nargs="+", metavar="MODULE", help="a layered deployment of these modules only")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")


def run(args: argparse.Namespace) -> int:
    from vigie.config.desired import merge
    from vigie_devkit.manifest.dotenv import read_dotenv
    from vigie_devkit.manifest.hardware import choose_hardware, read_hardware
    from vigie_devkit.manifest.images import REGISTRY, module_files
    from vigie_devkit.manifest.render import PASSWORD, RenderTarget, layer, render

    values = {**os.environ, **(read_dotenv(args.env) if args.env else {})}
    if args.registry is not None:
        values[REGISTRY] = args.registry
    target = RenderTarget(
        platform=args.platform,
        files=module_files(MODULES),
        values=values,
        tag=args.tag,
        hardware=choose_hardware(read_hardware(HARDWARE), args.platform, args.hardware),
    )
    template = read_json(args.template)
    for patch in args.patch:
        template = merge(template, read_json(patch))
    manifest = render(template, target)
    text = json.dumps(layer(manifest, args.layer) if args.layer else manifest, indent=2, ensure_ascii=False) + "\n"
    if args.output is None:
        print(text, end="")
        return Exit.OK
    secret = not args.layer and bool(values.get(PASSWORD)) and values[PASSWORD] in text
    descriptor = os.open(args.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o666)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if secret:
        args.output.chmod(0o600)
        sys.stderr.write(f"vigie: {args.output} holds the registry's password: keep it out of version control\n")
    print(args.output)
    return Exit.OK
