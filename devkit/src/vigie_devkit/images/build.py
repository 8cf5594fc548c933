"""Builds one image and gives it its names."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vigie_devkit.images.catalogue import STAGE, Image
from vigie_devkit.images.context import write_context
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.wheels import wheels_for


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """``in_build``: the build stage's pip asks an index, with these build arguments; else the host's pip brings all."""

    cache: Path
    base: str | None = None
    version: str | None = None
    no_cache: bool = False
    in_build: bool = False
    build_arguments: Sequence[str] = ()
    network: str | None = None


def build(engine: ContainerEngine, image: Image, references: Sequence[str], options: BuildOptions) -> None:
    """Raises: WheelsError, EngineCommandError, StateFolderError."""
    wheels = [] if options.in_build else wheels_for(image, options.cache)
    with tempfile.TemporaryFile() as context:
        write_context(image, wheels, context)
        context.seek(0)
        # The classic builder everywhere: what iotedgedev uses, and the only one that every engine has.
        engine.environment["DOCKER_BUILDKIT"] = "0"
        engine.build(*build_words(image, references, options, offline=bool(wheels)), stdin=context)


def remove_stages(engine: ContainerEngine) -> None:
    """Remove what the classic builder leaves of build stages: images without a name, up to 1 GB each.

    Only those with our label, and only while no image is made of them. Raises: EngineCommandError.
    """
    engine.ask("image", "prune", "--force", "--filter", f"label={STAGE}=build")


def build_words(image: Image, references: Sequence[str], options: BuildOptions, *, offline: bool) -> list[str]:
    """The engine's arguments; the context comes on stdin."""
    # A step that fails or is stopped leaves its container otherwise, which keeps the stage's image for good.
    words = ["build", "--force-rm", "--file", image.dockerfile]
    for reference in references:
        words += ["--tag", reference]
    if options.base:
        words += ["--build-arg", f"BASE={options.base}"]
    if options.version:
        words += ["--build-arg", f"VERSION={options.version}"]
    for argument in options.build_arguments:
        words += ["--build-arg", argument]
    if options.no_cache:
        words.append("--no-cache")
    # Drivers come from the distribution's index, which only the build stage can ask.
    network = options.network or ("none" if offline and not image.debian else None)
    if network:
        words += ["--network", network]
    return [*words, "-"]
