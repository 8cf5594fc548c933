"""Frames between containers: one tmpfs volume for all, large enough, and counted in the writers' memory limits.

A container's own tmpfs (``HostConfig.Tmpfs``, ``ShmSize``) is private to it. Pages of a shared tmpfs are charged to the
container that writes them, so that a writer's limit must hold its rings (docs/decisions/0021-manifest.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vigie.contracts import names
from vigie_devkit.manifest.content import Mount
from vigie_devkit.manifest.lint.cameras import camera_plans, tensor_ring_bytes
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning

_DEFAULT_FRAMES = "/dev/shm/vigie"  # noqa: S108 - where a module looks without VIGIE_FRAMES
_SIZE = re.compile(r"(\d+)([kmg%]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_READERS = frozenset({names.INFERENCE, names.VIEWER})
# Events need no pixels, and these open connections to others.
_WITHOUT = frozenset({names.SYNC, names.ACTIONS, names.EVIDENCE})
# What each module takes without its rings, in MB: the bars of the design, plus as much again for the SDK's queues.
_BASE_MB = {
    names.CAMERA: 90,
    names.PREPROCESS: 100,
    names.SYNC: 100,
    names.VIEWER: 100,
    names.ACTIONS: 80,
    names.EVIDENCE: 80,
}
_PER_1080P_CAMERA_MB = 25


def frames_volume(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """One volume, the same for all that exchange pixels."""
    mounts = {module.name: _frames_mount(module) for module in _sharing(deployment)}
    first = next((mount for mount in mounts.values() if mount), None)
    for module in _sharing(deployment):
        mount, folder = mounts[module.name], _folder(module)
        path = f"{module.options_path}.HostConfig"
        if folder in (module.host.host.get("Tmpfs") or {}):
            yield error(
                "frames-private",
                f"{path}.Tmpfs.{folder}",
                "a container's own tmpfs is seen by no other: consumers would find no frame",
                "mount one named volume of type tmpfs in all modules, as deployment.template.json does",
            )
        elif mount is None:
            yield error(
                "frames-missing",
                f"{path}.Mounts",
                f"no volume at {folder}, where VIGIE_FRAMES says that the frames are",
                "mount the frames volume there",
            )
        elif first is not None and mount.source != first.source:
            yield error(
                "frames-not-shared",
                f"{path}.Mounts",
                f"{module.name!r} mounts {mount.source!r} at {folder}, others mount {first.source!r}",
                "name one volume in all modules",
            )
        elif first is not None and mount.driver_options != first.driver_options:
            yield error(
                "frames-differ",
                f"{path}.Mounts",
                f"options of {mount.source!r} differ between modules: whichever starts first decides",
                "write the same options everywhere",
            )
        else:
            yield from _owner(module, mount)
            yield from _rights(module, mount)


def _owner(module: Module, mount: Mount) -> Iterator[Finding]:
    options = _options(mount)
    user = module.host.user.partition(":")[0]
    path = f"{module.options_path}.HostConfig.Mounts"
    if mount.driver_options.get("type") != "tmpfs":
        yield warning(
            "frames-on-disk",
            path,
            f"volume {mount.source!r} is not a tmpfs: every frame is written to the disk, which wears it out",
            'set DriverConfig.Options to {"type": "tmpfs", "device": "tmpfs", "o": "size=256m,uid=1250,gid=1250"}',
        )
    elif user and user != "0" and options.get("uid", "0") != user:
        yield error(
            "frames-owner",
            path,
            f"the volume belongs to user {options.get('uid', '0')}, the module runs as {user}",
            f"write uid={user},gid={user},mode=0770 in its options",
        )


def _rights(module: Module, mount: Mount) -> Iterator[Finding]:
    """Pixels are written by those who make them, and read where somebody looks at them."""
    path = f"{module.options_path}.HostConfig.Mounts"
    if module.kind in _WITHOUT:
        yield warning(
            "frames-in-sync",
            path,
            f"{module.kind} needs no pixels, and connects to other machines",
            "remove the mount; its cursor lies in the volume of VIGIE_SIGNALS",
        )
    elif module.kind in _READERS and not mount.read_only:
        yield warning(
            "frames-writable",
            path,
            f"{module.kind} reads frames only, and could forge them",
            'write "ReadOnly": true',
        )


def frames_size(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """The tmpfs against the rings that will lie in it."""
    cameras = [plan for module in deployment.of_kind(names.CAMERA) for plan in camera_plans(module, assumed)]
    tensors = sum(tensor_ring_bytes(module, assumed) for module in deployment.of_kind(names.PREPROCESS))
    writer = next((module for module in _sharing(deployment) if _frames_mount(module)), None)
    mount = _frames_mount(writer) if writer else None
    if writer is None or mount is None or mount.driver_options.get("type") != "tmpfs":
        return
    path = f"{writer.options_path}.HostConfig.Mounts"
    size = tmpfs_bytes(mount)
    needed = sum(plan.ring_bytes for plan in cameras) + tensors
    if size is None:
        yield warning(
            "frames-no-size",
            path,
            f"volume {mount.source!r} has no size in bytes: a tmpfs without one may take half of the memory",
            f"write size={_megabytes(needed)}m or more in its options",
        )
    elif size < needed:
        rings = ", ".join(f"{plan.name} {_megabytes(plan.ring_bytes)}" for plan in cameras if plan.shared)
        yield error(
            "frames-too-small",
            path,
            f"size is {_megabytes(size)} MiB, the rings need {_megabytes(needed)} (tensors {_megabytes(tensors)}"
            f"{f', {rings}' if rings else ''}): a camera would be refused",
            f"write size={_megabytes(needed)}m or more, or fewer slots; an existing volume must be removed first",
        )
    if any(plan.assumed and plan.shared for plan in cameras):
        width, height = assumed.frame_wh
        yield hint(
            "frames-assumed",
            path,
            f"frames of {', '.join(plan.name for plan in cameras if plan.assumed)} are taken as {width}x{height}",
            "pass --frame WxH for what the cameras really send",
        )


def writer_memory(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """The limits of those who write rings: a camera that outgrows its limit is killed, not slowed."""
    for module in deployment.ours:
        limit = module.host.host.get("Memory")
        if not isinstance(limit, int) or module.kind not in _BASE_MB:
            continue
        base, rings, what = _BASE_MB[module.kind] * 10**6, 0, ""
        if module.kind == names.CAMERA:
            plans = camera_plans(module, assumed)
            base += int(sum(plan.megapixels_of_1080p for plan in plans) * _PER_1080P_CAMERA_MB * 10**6)
            rings, what = sum(plan.ring_bytes for plan in plans), f" for {len(plans)} cameras"
        elif module.kind == names.PREPROCESS:
            rings = 2 * tensor_ring_bytes(module, assumed)  # the former model's too, while it is replaced
        if limit < base + rings:
            yield error(
                "memory-without-ring" if rings else "memory-too-small",
                f"{module.options_path}.HostConfig.Memory",
                f"is {_megabytes(limit)} MiB; {module.kind} needs {_megabytes(base)}{what} and its rings "
                f"{_megabytes(rings)}, whose pages count against the writer",
                f"write {-(-(base + rings) // (1 << 20)) << 20} or more, or fewer slots",
            )


def tmpfs_bytes(mount: Mount) -> int | None:
    """The size of a tmpfs volume; None: none given, or a share of the memory."""
    match = _SIZE.fullmatch(_options(mount).get("size", ""))
    return int(match[1]) * _UNITS[match[2].lower()] if match and match[2] != "%" else None


def _options(mount: Mount) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in mount.driver_options.get("o", "").split(","))


def _sharing(deployment: Deployment) -> list[Module]:
    return [module for module in deployment.ours if module.kind not in _WITHOUT or _frames_mount(module)]


def _folder(module: Module) -> str:
    return module.environment("VIGIE_FRAMES", _DEFAULT_FRAMES)


def _frames_mount(module: Module) -> Mount | None:
    return next((mount for mount in module.host.mounts if mount.target == _folder(module)), None)


def _megabytes(count: int) -> int:
    return -(-count // (1 << 20))
