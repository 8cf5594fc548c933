"""Which entries of desired property ``models`` have seats of their own, and which configuration each sees. Pure.

The main seat holds what desired property ``model`` names, or the one release that takes its place. Every release that
names cameras has a seat of its own and serves them in place of the main model, once it is committed; until then, and
after a roll-back that leaves nothing, the main model serves them. So has one that serves beside: its model sees frames
that another one answers as well.
"""

from __future__ import annotations

import msgspec

from vigie.errors import ConfigRefusedError
from vigie_inference.config import InferenceConfig
from vigie_inference.update.release import Release


def seated(config: InferenceConfig) -> dict[str, Release]:
    """The releases that have seats of their own, by name."""
    return {name: one for name, one in (config.models or {}).items() if one.cameras is not None or one.beside}


def check_seats(config: InferenceConfig) -> None:
    """Raises: ConfigRefusedError: two releases for one place."""
    main, taken = "", dict[str, str]()
    for name, release in (config.models or {}).items():
        if release.beside:
            continue
        if release.cameras is None:
            if main:
                raise ConfigRefusedError(
                    f"$.models.{name}.cameras",
                    f"is missing: {main!r} takes the main model's place, so this one must name the cameras that it "
                    "serves, or serve beside it",
                )
            main = name
        for index, camera in enumerate(release.cameras or ()):
            if camera in taken:
                raise ConfigRefusedError(
                    f"$.models.{name}.cameras[{index}]", f"{camera!r} is served by {taken[camera]!r} already"
                )
            taken[camera] = name


def own_config(config: InferenceConfig, name: str) -> InferenceConfig:
    """The configuration as the seat of ``name`` sees it: its release is the only one.

    ``score``, ``iou``, ``classes`` and pins of a variant are the main model's; its card's thresholds count here.
    """
    release, require = (config.models or {})[name], config.runtime.require
    if require is not None:
        require = msgspec.structs.replace(require, variants=None)
    return msgspec.structs.replace(
        config,
        model=None,
        models={name: msgspec.structs.replace(release, cameras=None, beside=False)},
        score=None,
        iou=None,
        classes=None,
        runtime=msgspec.structs.replace(config.runtime, variant=None, require=require, remote=None),
    )
