"""``vigie images``: build, list, check, push, save and load the container images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.local.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vigie_devkit.images.catalogue import Image
    from vigie_devkit.images.engine import ContainerEngine

EXAMPLES = """examples:
  ./vigie images build                                        all modules and the hub for this processor
  ./vigie images build inference --platform amd64-openvino    one module for one hardware key
  ./vigie images check                                        each holds exactly its module's packages
  ./vigie images push --registry myregistry.azurecr.io --platform amd64 --platform arm64v8
  ./vigie images save --platform arm64v8 -o vigie.tar.gz      for a device that reaches no registry
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "images",
        help="build, check, push, save and load the container images",
        description="Container images: one per module and hardware key, and the hub's for docker compose.",
        epilog=EXAMPLES,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="build|list|check|push|save|load|write", required=True)
    building = _verb(verbs, "build", build, "build images and print what they weigh")
    building.add_argument("--base", metavar="IMAGE", help="another base image (Debian 12 or newer, Python 3.11)")
    building.add_argument("--no-cache", action="store_true", help="run every step anew")
    building.add_argument(
        "--keep-stages", action="store_true", help="leave the build stages on the engine: some GB, and faster next time"
    )
    building.add_argument(
        "--in-build",
        action="store_true",
        help="let pip in the build stage ask an index; by default this machine's pip brings the wheels",
    )
    building.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a build argument such as PIP_INDEX_URL=...; needs --in-build",
    )
    building.add_argument("--network", metavar="NAME", help="network of the build stage (default: none is needed)")
    _verb(verbs, "list", show, "which images there are, and what those on the engine weigh")
    _verb(verbs, "check", check, "packages, user, entry, labels, health check, size of each image")
    _verb(verbs, "push", push, "push to a registry that the engine is logged in to")
    saving = _verb(verbs, "save", save, "write images to one compressed file")
    saving.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="such as vigie-images.tar.gz")
    loading = verbs.add_parser("load", help="load what `save` wrote")
    loading.add_argument("file", type=Path)
    _engine_option(loading)
    loading.set_defaults(handler=load)
    writing = verbs.add_parser("write", help="write Dockerfiles and bills of materials anew after a change")
    writing.set_defaults(handler=write)


def _verb(verbs: Any, name: str, handler: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    verb.add_argument(
        "names",
        nargs="*",
        metavar="MODULE",
        help="camera, preprocess, inference, sync, viewer, actions, evidence, hub (all)",
    )
    verb.add_argument(
        "--platform", action="append", metavar="KEY", dest="keys", help="hardware key (default: this processor's)"
    )
    verb.add_argument("--registry", default=os.environ.get("CONTAINER_REGISTRY_SERVER", ""), metavar="HOST[/PATH]")
    verb.add_argument("--tag", default="", metavar="T", help="instead of the version in module.json")
    _engine_option(verb)
    verb.set_defaults(handler=handler)
    return verb


def _engine_option(verb: argparse.ArgumentParser) -> None:
    from vigie_devkit.images.engine import default_program

    verb.add_argument("--engine", default=default_program(), metavar="PROGRAM", help="docker (default), podman, ...")


# -- verbs ------------------------------------------------------------------------------------------------------------


def build(args: argparse.Namespace) -> int:
    from vigie_devkit.images.build import BuildOptions, remove_stages
    from vigie_devkit.images.build import build as build_one
    from vigie_devkit.local.ownership import claim_part
    from vigie_devkit.local.paths import home_folder

    engine = _engine(args)
    options = BuildOptions(
        cache=claim_part(home_folder(), "wheels"),
        base=args.base,
        version=args.tag or None,
        no_cache=args.no_cache,
        in_build=args.in_build,
        build_arguments=args.build_arg,
        network=args.network,
    )
    for image, references in _wanted(args):
        print(f"vigie: building {references[0]}", flush=True)
        build_one(engine, image, references, options)
    if not args.keep_stages:
        remove_stages(engine)
    return show(args)


def show(args: argparse.Namespace) -> int:
    from vigie_devkit.images.errors import NotBuiltError
    from vigie_devkit.images.sizes import MB, size_of

    engine = _engine(args)
    print(f"{'image':<44} {'MB':>6} {'beyond base':>12}  of that")
    for _, references in _wanted(args):
        for reference in references:
            try:
                size = size_of(engine, reference)
            except NotBuiltError:
                print(f"{reference:<44} {'-':>6} {'-':>12}  not on this engine")
                continue
            parts = ", ".join(f"{name} {weight / MB:.1f}" for name, weight in size.parts)
            show_text(f"{reference:<44} {size.total / MB:>6.0f} {size.beyond_base / MB:>12.1f}  {parts}")
    return Exit.OK


def check(args: argparse.Namespace) -> int:
    from vigie_devkit.images.catalogue import version
    from vigie_devkit.images.check import check_image
    from vigie_devkit.images.errors import CheckFailedError

    engine = _engine(args)
    count = 0
    for image, references in _wanted(args):
        findings = check_image(engine, image, references[0], version=args.tag or version())
        print(f"vigie: {references[0]}: {'as it should be' if not findings else ''}")
        for finding in findings:
            print(f"  {finding}")
        count += len(findings)
    if count:
        raise CheckFailedError(count)
    return Exit.OK


def push(args: argparse.Namespace) -> int:
    from vigie_devkit.local.errors import UsageError

    if not args.registry:
        raise UsageError("push needs --registry, or CONTAINER_REGISTRY_SERVER in the environment")
    engine = _engine(args)
    for image, references in _wanted(args):
        for reference in references:
            _named(engine, image, reference, args)
            engine.run("push", reference)
    return Exit.OK


def save(args: argparse.Namespace) -> int:
    from vigie_devkit.images.archive import save as save_all
    from vigie_devkit.images.sizes import MB

    engine = _engine(args)
    references = [reference for _, several in _wanted(args) for reference in several]
    written = save_all(engine, references, args.output)
    print(f"vigie: {len(references)} images in {args.output}, {written / MB:.0f} MB; there: ./vigie images load, or "
          f"docker load --input {args.output.name}")  # fmt: skip
    return Exit.OK


def load(args: argparse.Namespace) -> int:
    from vigie_devkit.images.archive import load as load_all

    for reference in load_all(_engine(args), args.file):
        print(reference)
    return Exit.OK


def write(_args: argparse.Namespace) -> int:
    from vigie_devkit.images.catalogue import IMAGES
    from vigie_devkit.images.dockerfile import dockerfile
    from vigie_devkit.images.sbom import sbom_text
    from vigie_devkit.local.paths import CHECKOUT

    for image in IMAGES:
        (CHECKOUT / image.dockerfile).write_text(dockerfile(image), encoding="utf-8")
        (CHECKOUT / image.sbom).write_text(sbom_text(image), encoding="utf-8")
    print(f"vigie: {len(IMAGES)} Dockerfiles and bills of materials written")
    return Exit.OK


# -- what they share --------------------------------------------------------------------------------------------------


def _engine(args: argparse.Namespace) -> ContainerEngine:
    from vigie_devkit.images.engine import open_engine

    return open_engine(args.engine, os.environ)


def _wanted(args: argparse.Namespace) -> Iterator[tuple[Image, list[str]]]:
    """Each image once, with every name that it has for the keys that were asked for.

    Raises: NoSuchImageError, BadReferenceError.
    """
    from vigie_devkit.images.catalogue import HUB, MODULES, host_key, image_for
    from vigie_devkit.images.names import reference

    found: dict[Image, list[str]] = {}
    for name in args.names or (*MODULES, HUB):
        for key in args.keys or [host_key()]:
            image = image_for(name, key)
            found.setdefault(image, []).append(reference(image, key, registry=args.registry, tag=args.tag))
    yield from found.items()


def _named(engine: ContainerEngine, image: Image, wanted: str, args: argparse.Namespace) -> None:
    """Give the image its name for the registry if it was built without one. Raises: NotBuiltError."""
    from vigie_devkit.images.errors import NotBuiltError
    from vigie_devkit.images.names import reference

    if engine.image(wanted) is None:
        local = reference(image, tag=args.tag)
        if engine.image(local) is None:
            raise NotBuiltError(local)
        engine.run("tag", local, wanted)
