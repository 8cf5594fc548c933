"""IoT Edge's own two containers: releases that get no fixes any more, and two that do not belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from vigie_devkit.manifest.lint.deployment import AGENT, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, warning

DATES = Path(__file__).parents[1] / "runtime-releases.json"
_IMAGE = re.compile(r"(?:.*/)?azureiotedge-(agent|hub):(\d+\.\d+)(?:[.-].*)?")


class RuntimeRelease(msgspec.Struct, frozen=True):
    """``serviced_until``: the last day with fixes; ``note``: what else is known of it."""

    serviced_until: date
    note: str = ""


class Releases(msgspec.Struct, frozen=True):
    """``checked``: the day on which the dates were compared with ``source``; ``current``: what to move to."""

    source: str
    checked: date
    current: str
    releases: dict[str, RuntimeRelease]


@cache
def known_releases() -> Releases:
    return msgspec.json.decode(DATES.read_bytes(), type=Releases)


def runtime_releases(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    known = known_releases()
    today = assumed.today or known.checked
    found: dict[str, str] = {}
    for name, module in deployment.agent.get("systemModules", {}).items():
        image = module.get("settings", {}).get("image")
        match = _IMAGE.fullmatch(image) if isinstance(image, str) else None
        if match is None:
            continue
        release = found[name] = match[2]
        path = f"{AGENT}.systemModules.{name}.settings.image"
        dates = known.releases.get(release)
        if dates is not None and today > dates.serviced_until:
            yield warning(
                "runtime-end-of-life",
                path,
                f"IoT Edge {release} has had no fixes since {dates.serviced_until}",
                f"move to {known.current}, serviced until {known.releases[known.current].serviced_until}, "
                "and the device's own packages with it",
            )
    if len(set(found.values())) > 1:
        yield warning(
            "runtime-releases-differ",
            f"{AGENT}.systemModules",
            f"{' and '.join(f'{name} is {release}' for name, release in found.items())}: they are tested as a pair",
            "write one release for both",
        )
