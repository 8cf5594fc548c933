"""Vigie's own modules in a manifest: the image that does not exist, the user that is not set, the laptop's folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from vigie.contracts import names
from vigie_devkit.manifest.images import ModuleFile, module_files
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning
from vigie_devkit.manifest.placeholders import MODULES, PLACEHOLDER

_LAPTOP = re.compile(r"(?:/home/|/Users/|/root/|/tmp/|/private/|/mnt/[a-z]/|[A-Za-z]:[\\\\/]|~|\.)")
_MODELS = PurePosixPath("/models")
_RELEASE = re.compile(r"v?([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?![0-9.])")
# A tag's end that names hardware; any other word there may be a team's own.
_PLATFORM = re.compile(
    r"-((?:amd64|arm64v8|arm32v7)-(?:cuda|tensorrt|jetson|openvino|qnn|webgpu|litert|grpc|gpu|npu|nvidia|intel|rocm|migraphx|"
    r"vitisai|coral|edgetpu|hailo)|arm32v7)$"
)


def image_exists(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """A platform that module.json names and nobody has written a Dockerfile for: the device finds no such image."""
    if assumed.own_modules is None:
        return
    files = module_files(assumed.own_modules)
    for module in deployment.ours:
        file = files.get(module.kind)
        platform = _platform(module, file) if file else ""
        if file is None or not platform:
            continue
        own = file.image.tag.platforms
        built = [key for key, name in own.items() if (assumed.own_modules / module.kind / name).is_file()]
        if platform not in built:
            why = f"there is no {own[platform]}" if platform in own else "its module.json does not name it"
            yield error(
                "image-does-not-exist",
                f"{module.path}.settings.image",
                f"{module.kind} is not built for {platform!r}: {why}",
                f"use one of {', '.join(built)}, or write that Dockerfile (docs/images.md)",
            )


def _platform(module: Module, file: ModuleFile) -> str:
    """What the image is built for; empty: a tag that says nothing of it, which is its owner's affair."""
    image = str(module.settings.get("image", ""))
    if match := PLACEHOLDER.fullmatch(image):
        wanted = match[1].removeprefix(MODULES).partition(".")[2]
        return wanted if wanted in file.image.tag.platforms else ""
    tag = image.partition("@")[0].rpartition(":")[2]
    known = sorted(file.image.tag.platforms, key=len, reverse=True)
    named = _PLATFORM.search(tag)
    return next((key for key in known if tag.endswith(f"-{key}")), named[1] if named else "")


def one_processor(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """Images for another processor than most are: the device pulls them, and the container never starts."""
    if assumed.own_modules is None:
        return
    files = module_files(assumed.own_modules)
    named = {one.name: _platform(one, files[one.kind]) for one in deployment.ours if one.kind in files}
    processors = {name: platform.partition("-")[0] for name, platform in named.items() if platform}
    usual = Counter(processors.values()).most_common(1)
    for name, processor in processors.items():
        if processor != usual[0][0]:
            yield error(
                "image-other-processor",
                f"{deployment.modules[name].path}.settings.image",
                f"is built for {processor}, the other modules' images for {usual[0][0]}: it never starts beside them",
                f"write the image for {usual[0][0]}",
            )


def one_version(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """Modules of another version than most: each reads its own messages and those of the version before."""
    found = {one.name: version for one in deployment.ours if (version := _version(one, assumed))}
    usual = max(Counter(found.values()).items(), key=lambda each: (each[1], each[0]), default=((), 0))[0]
    for name, version in found.items():
        path = f"{deployment.modules[name].path}.settings.image"
        what = f"is {_dotted(version)}, the other modules are {_dotted(usual)}"
        if version == usual:
            continue
        if version[0] == usual[0] and abs(version[1] - usual[1]) <= 1:
            yield hint(
                "image-other-version",
                path,
                f"{what}: they understand each other while they are one release apart",
                f"go to {_dotted(max(version, usual))} with all of them in the end",
            )
        else:
            yield warning(
                "image-other-version",
                path,
                f"{what}: a module reads its own messages and those of the release before, and no others",
                f"write an image of {_dotted(usual)}",
            )


def _version(module: Module, assumed: Assumptions) -> tuple[int, ...]:
    """Of the image, as three numbers; empty: a tag that is not a version, or a digest."""
    image = str(module.settings.get("image", ""))
    if PLACEHOLDER.fullmatch(image):
        file = module_files(assumed.own_modules).get(module.kind) if assumed.own_modules else None
        tag = file.image.tag.version if file else ""
    else:
        tag = image.partition("@")[0].rpartition(":")[2]
    match = _RELEASE.match(tag)
    return tuple(map(int, match.groups())) if match else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def flow_runs(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """A module that every frame passes and that is not to run."""
    for module in deployment.ours:
        if module.kind in names.FLOW and module.entry.get("status") == "stopped":
            yield warning(
                "module-stopped",
                f"{module.path}.status",
                f"{module.kind} is in the way of every frame: while it is stopped nothing is seen",
                'write "running"',
            )


def user_is_set(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for module in deployment.ours:
        if not module.host.user:
            yield warning(
                "user-not-set",
                f"{module.options_path}.User",
                "is missing: the module runs as whoever its image says, who may not write the volumes",
                "write the user that deployment.template.json has for it",
            )


def model_path(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """``model.path`` is a folder in the container: of the image, or of something that is mounted."""
    for module in deployment.of_kind(names.INFERENCE):
        model = module.desired.get("model")
        path = model.get("path") if isinstance(model, dict) else None
        if not isinstance(path, str) or _mounted(module, path):
            continue
        if _LAPTOP.match(path) or not path.startswith("/"):
            where, what = error, "is a folder of a person's machine: the device does not have it"
        else:
            where, what = warning, "lies neither in the image's /models nor below a mount of this module"
        yield where(
            "model-path",
            f"{module.desired_path}.model.path",
            f"{path!r} {what}",
            'name a bundle of the image ("name": "conveyor-parts"), or mount its folder',
        )


def _mounted(module: Module, path: str) -> bool:
    binds = [str(bind).split(":")[1] for bind in module.host.host.get("Binds") or [] if ":" in str(bind)]
    targets = [*(mount.target for mount in module.host.mounts), *binds]
    inside = PurePosixPath(path)
    return any(inside.is_relative_to(folder) for folder in (_MODELS, *map(PurePosixPath, targets)))
