"""Frames and tensors between containers: one tmpfs volume each, large enough, counted in the writers' memory limits.

A container's own tmpfs (``HostConfig.Tmpfs``, ``ShmSize``) is private to it. Pages of a shared tmpfs are charged to the
container that writes them, so that a writer's limit must hold its rings (docs/decisions/0021-manifest.md). Tensors have
a folder of their own (``VIGIE_TENSORS``), so that preprocess only reads frames; without one they lie beside the frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.contracts import names
from vigie_devkit.images.catalogue import GROUP
from vigie_devkit.manifest.content import Mount
from vigie_devkit.manifest.lint.cameras import camera_plans, tensor_ring_bytes
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning

_DEFAULT_FRAMES = "/dev/shm/vigie"  # noqa: S108 - where a module looks without VIGIE_FRAMES
_SIZE = re.compile(r"(\d+)([kmg%]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_FRAMES, _TENSORS = "frames", "tensors"
_VARIABLES = {_FRAMES: "VIGIE_FRAMES", _TENSORS: "VIGIE_TENSORS"}
# Which pixels a module takes part in, and whether it makes them.
_KNOWN: dict[str, dict[str, bool]] = {
    names.CAMERA: {_FRAMES: True},
    names.PREPROCESS: {_FRAMES: False, _TENSORS: True},
    names.INFERENCE: {_FRAMES: False, _TENSORS: False},
    names.VIEWER: {_FRAMES: False},
}
OF_THE_GROUP = f"uid=0,gid={GROUP},mode=3770"
# Events need no pixels, and these open connections to others.
_WITHOUT = frozenset({names.SYNC, names.ACTIONS, names.EVIDENCE})
# What each module takes without its rings, in MB: the bars of the design, plus as much again for the SDK's queues.
_BASE_MB = {
    names.CAMERA: 90,
    names.PREPROCESS: 100,
    names.INFERENCE: 120,
    names.SYNC: 100,
    names.VIEWER: 100,
    names.ACTIONS: 80,
    names.EVIDENCE: 80,
}
_PER_1080P_CAMERA_MB = 25


@dataclass(frozen=True)
class _Pixels:
    """A module's mount of pixels. ``kind``: frames or tensors. ``writes``: this module makes them."""

    module: Module
    kind: str
    folder: str
    writes: bool
    mount: Mount | None


def frames_volume(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """One volume for frames and one for tensors, the same for all that exchange them."""
    for kind in _VARIABLES:
        sharing = [pixels for pixels in _sharing(deployment) if pixels.kind == kind]
        first = next((pixels.mount for pixels in sharing if pixels.mount), None)
        for pixels in sharing:
            yield from _volume(pixels, first)


def _volume(pixels: _Pixels, first: Mount | None) -> Iterator[Finding]:
    module, mount, folder = pixels.module, pixels.mount, pixels.folder
    path = module.host_path
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
            f"no volume at {folder}, where {_VARIABLES[pixels.kind]} says that the {pixels.kind} are",
            f"mount the {pixels.kind} volume there",
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
        yield from _rights(pixels, mount)


def _owner(module: Module, mount: Mount) -> Iterator[Finding]:
    options = volume_options(mount)
    user, _, group = module.host.user.partition(":")
    path = f"{module.host_path}.Mounts"
    if mount.driver_options.get("type") != "tmpfs":
        yield warning(
            "frames-on-disk",
            path,
            f"volume {mount.source!r} is not a tmpfs: every frame is written to the disk, which wears it out",
            f'set DriverConfig.Options to {{"type": "tmpfs", "device": "tmpfs", "o": "size=256m,{OF_THE_GROUP}"}}',
        )
    elif user and user != "0" and options.get("uid", "0") != user and not is_of_group(options, group or user):
        yield error(
            "frames-owner",
            path,
            f"the volume belongs to user {options.get('uid', '0')}, the module runs as {user}:{group or user}",
            f"write uid=0,gid={group or user},mode=3770 in its options: root's, and the modules' group writes",
        )


def is_of_group(options: dict[str, str], group: str) -> bool:
    """Root's, closed to others, writable by the group, and sticky: in it a module can change its own files only."""
    return options.get("uid", "0") == "0" and options.get("gid") == group and options.get("mode") == "3770"


def _rights(pixels: _Pixels, mount: Mount) -> Iterator[Finding]:
    """Pixels are written by those who make them, and read where somebody looks at them."""
    path = f"{pixels.module.host_path}.Mounts"
    kind = pixels.module.kind
    if kind in _WITHOUT:
        yield warning(
            "frames-in-sync",
            path,
            f"{kind} needs no pixels, and connects to other machines",
            "remove the mount; its cursor lies in the volume of VIGIE_SIGNALS",
        )
    elif kind in _KNOWN and not pixels.writes and not mount.read_only:
        yield warning(
            "frames-writable",
            path,
            f"{kind} only reads {pixels.kind}, and could forge them",
            'write "ReadOnly": true',
        )
    elif pixels.writes and mount.read_only:
        yield error("frames-read-only", path, f"{kind} makes the {pixels.kind}", 'remove "ReadOnly"')


def frames_size(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """Each tmpfs against the rings that will lie in it."""
    cameras = [plan for module in deployment.of_kind(names.CAMERA) for plan in camera_plans(module, assumed)]
    needs = {plan.name: plan.ring_bytes for plan in cameras if plan.shared}
    tensors = sum(tensor_ring_bytes(module, assumed) for module in deployment.of_kind(names.PREPROCESS))
    sharing = _sharing(deployment)
    apart = any(pixels.kind == _TENSORS and pixels.mount for pixels in sharing)
    yield from _size(sharing, _FRAMES, needs if apart else {"tensors": tensors, **needs})
    if apart:
        yield from _size(sharing, _TENSORS, {"tensors": tensors})
    mounted = next((pixels for pixels in sharing if pixels.kind == _FRAMES and pixels.mount), None)
    if mounted and any(plan.assumed and plan.shared for plan in cameras):
        width, height = assumed.frame_wh
        yield hint(
            "frames-assumed",
            f"{mounted.module.host_path}.Mounts",
            f"frames of {', '.join(plan.name for plan in cameras if plan.assumed)} are taken as {width}x{height}",
            "pass --frame WxH for what the cameras really send",
        )


def _size(sharing: list[_Pixels], kind: str, needs: dict[str, int]) -> Iterator[Finding]:
    found = next((pixels for pixels in sharing if pixels.kind == kind and pixels.mount), None)
    if found is None or found.mount is None or found.mount.driver_options.get("type") != "tmpfs":
        return
    path, needed, size = f"{found.module.host_path}.Mounts", sum(needs.values()), tmpfs_bytes(found.mount)
    if size is None:
        yield warning(
            "frames-no-size",
            path,
            f"volume {found.mount.source!r} has no size in bytes: a tmpfs without one may take half of the memory",
            f"write size={max(1, _megabytes(needed))}m or more in its options",
        )
    elif size < needed:
        rings = ", ".join(f"{name} {_megabytes(count)}" for name, count in needs.items())
        yield error(
            "frames-too-small",
            path,
            f"size of {found.mount.source!r} is {_megabytes(size)} MiB, the rings need {_megabytes(needed)} ({rings}): "
            f"a {'camera' if kind == _FRAMES else 'model'} would be refused",
            f"write size={_megabytes(needed)}m or more, or fewer slots; an existing volume must be removed first",
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
                f"{module.host_path}.Memory",
                f"is {_megabytes(limit)} MiB; {module.kind} needs {_megabytes(base)}{what}"
                + (f" and its rings {_megabytes(rings)}, whose pages count against the writer" if rings else ""),
                f"write {-(-(base + rings) // (1 << 20)) << 20} or more" + (", or fewer slots" if rings else ""),
            )


def tmpfs_bytes(mount: Mount) -> int | None:
    """The size of a tmpfs volume; None: none given, or a share of the memory."""
    match = _SIZE.fullmatch(volume_options(mount).get("size", ""))
    return int(match[1]) * _UNITS[match[2].lower()] if match and match[2] != "%" else None


def volume_options(mount: Mount) -> dict[str, str]:
    """The mount options of a tmpfs volume, ``size=4m,uid=0`` as a dict."""
    return dict(pair.partition("=")[::2] for pair in mount.driver_options.get("o", "").split(","))


def _sharing(deployment: Deployment) -> list[_Pixels]:
    found = []
    for module in deployment.ours:
        apart = bool(module.environment("VIGIE_TENSORS", ""))
        for kind, writes in _KNOWN.get(module.kind, {_FRAMES: False}).items():
            if kind == _TENSORS and not apart:
                continue  # beside the frames: what makes or reads them does so there
            if kind == _FRAMES and apart and module.kind == names.INFERENCE:
                continue
            folder = module.environment(_VARIABLES[kind], _DEFAULT_FRAMES)
            mount = next((mount for mount in module.host.mounts if mount.target == folder), None)
            if module.kind not in _WITHOUT or mount:
                makes = writes or (kind == _FRAMES and module.kind == names.PREPROCESS and not apart)
                found.append(_Pixels(module, kind, folder, makes, mount))
    return found


def _megabytes(count: int) -> int:
    return -(-count // (1 << 20))
