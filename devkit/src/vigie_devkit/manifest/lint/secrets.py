"""The folder of camera secrets: it reaches the camera, read-only, and no other module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vigie.contracts import names
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, warning

HOST_FOLDER = "/etc/vigie/secrets"
"""On the device, as docs/deploy.md makes it."""
TARGET = "/run/secrets"
"""In the camera module, unless ``VIGIE_SECRETS`` names another folder."""
REMEDY = f'write "Binds": ["{HOST_FOLDER}:{TARGET}:ro"] into HostConfig'
_SECRET = re.compile(r"\$\{\w+\}")


class Place(NamedTuple):
    """Something mounted into a container: a bind or a volume."""

    path: str
    source: str
    target: str
    read_only: bool


def secret_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Cameras that name a secret have the mount; it is read-only; nobody else has it."""
    for module in deployment.modules.values():
        folder = module.environment("VIGIE_SECRETS", TARGET)
        mounted = [place for place in places(module) if _holds(place.target, folder)]
        if module.kind == names.CAMERA:
            yield from _camera(module, folder, mounted)
        else:
            for place in places(module):
                if _holds(place.source, HOST_FOLDER):
                    yield error(
                        "secrets-shared",
                        place.path,
                        f"{module.name!r} can read the passwords of all cameras",
                        "remove the mount: only the camera module needs it",
                    )


def places(module: Module) -> Iterator[Place]:
    """Everything that ``module`` mounts, binds first."""
    host = module.host_path
    for index, bind in enumerate(module.host.host.get("Binds") or []):
        source, _, rest = str(bind).partition(":")
        target, _, options = rest.partition(":")
        yield Place(f"{host}.Binds[{index}]", source, target, "ro" in options.split(","))
    for index, mount in enumerate(module.host.host.get("Mounts") or []):
        yield Place(
            f"{host}.Mounts[{index}]", mount.get("Source", ""), mount.get("Target", ""), bool(mount.get("ReadOnly"))
        )


def _camera(module: Module, folder: str, mounted: list[Place]) -> Iterator[Finding]:
    host = module.host_path
    cameras = module.desired.get("cameras")
    named = [
        name
        for name, settings in (cameras.items() if isinstance(cameras, dict) else ())
        if isinstance(settings, dict) and _SECRET.search(str(settings.get("source", "")))
    ]
    if not mounted:
        needs = f"camera {named[0]!r} names a secret that" if named else "a password that a twin names as ${NAME}"
        report = error if named else warning
        yield report("secrets-not-mounted", host, f"nothing is mounted at {folder}: {needs} is never found", REMEDY)
    for place in mounted:
        if not place.read_only:
            yield warning(
                "secrets-writable",
                place.path,
                "the camera module can change the device's secrets",
                "mount it read-only",
            )


def _holds(outer: str, inner: str) -> bool:
    """Whether ``inner`` lies in the absolute path ``outer``, or is it."""
    return outer.startswith("/") and f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/")
