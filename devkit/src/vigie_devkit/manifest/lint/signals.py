"""Doorbells and cursors: one small volume for all, one group, and no shared output that leaves the route."""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.manifest.content import Mount
from vigie_devkit.manifest.doorbells import DOORBELLS, endpoints_of
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, warning
from vigie_devkit.manifest.lint.frames import OF_THE_GROUP, is_of_group, volume_options

_WANTED = f'{{"type": "tmpfs", "device": "tmpfs", "o": "size=4m,{OF_THE_GROUP}"}}'


def doorbell_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """``VIGIE_DOORBELLS`` against the routes: whoever else is on such an output gets leases in place of messages."""
    if (config := deployment.hub_config) is None:
        return
    for module in deployment.ours:
        path = f"{module.path}.env.VIGIE_DOORBELLS"
        for output in module.environment("VIGIE_DOORBELLS", "").split():
            known = DOORBELLS.get(module.kind, {})
            if output not in known:
                yield error(
                    "doorbell-unknown",
                    path,
                    f"{module.kind!r} has no output {output!r} with a doorbell",
                    f"write {' '.join(known)!r}" if known else "remove it",
                )
                continue
            others = [str(end) for end in endpoints_of(config.routes, module.name, output) if end != known[output]]
            if others:
                yield error(
                    "doorbell-shared",
                    path,
                    f"{output!r} also goes to {', '.join(others)}, which would get leases in place of messages while "
                    "the doorbell is open",
                    f"remove {output!r} here: then every message goes by the route, to each consumer",
                )


def signals_volume(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """The volume of doorbells and cursors, the same for all; without it everything goes by the routes."""
    mounts = {module.name: _signals_mount(module) for module in deployment.ours}
    first = next((mount for mount in mounts.values() if mount), None)
    for module in deployment.ours:
        mount, folder = mounts[module.name], module.environment("VIGIE_SIGNALS", "")
        path = f"{module.host_path}.Mounts"
        if folder and mount is None:
            yield error(
                "signals-missing",
                path,
                f"no volume at {folder}, where VIGIE_SIGNALS says that doorbells and cursors are",
                "mount the signals volume there",
            )
        elif mount is None or first is None:
            continue
        elif (mount.source, mount.driver_options) != (first.source, first.driver_options):
            yield error(
                "signals-differ",
                path,
                f"{mount.source!r} differs from the volume of the other modules: they would not see each other",
                "write the same source and options everywhere",
            )
        elif mount.read_only:
            yield error("signals-read-only", path, "every module writes its own cursors and doorbells", "mount it rw")
        else:
            yield from _mode(module, mount, path)


def _mode(module: Module, mount: Mount, path: str) -> Iterator[Finding]:
    options = volume_options(mount)
    user, _, group = module.host.user.partition(":")
    if mount.driver_options.get("type") != "tmpfs":
        yield warning(
            "signals-on-disk",
            path,
            f"volume {mount.source!r} is not a tmpfs: cursors are written with every frame, which wears a disk out",
            f"set DriverConfig.Options to {_WANTED}",
        )
    elif user not in ("", "0") and not (
        is_of_group(options, group or user)
        # As before each module had a user of its own.
        or (options.get("uid"), options.get("gid"), options.get("mode")) == (user, group or user, "2770")
    ):
        yield error(
            "signals-group",
            path,
            f"the folder needs uid=0, the modules' group ({group or user}) and mode 3770: what one makes the others "
            "must read, and not replace",
            f"set DriverConfig.Options to {_WANTED}",
        )


def _signals_mount(module: Module) -> Mount | None:
    folder = module.environment("VIGIE_SIGNALS", "")
    return next((mount for mount in module.host.mounts if mount.target == folder), None) if folder else None
