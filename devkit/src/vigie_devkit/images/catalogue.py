"""Which images there are: one per module and hardware key, and the hub's for docker compose.

The Dockerfiles (`dockerfile.py`), the locks and `module.json` follow this table; tests hold them together.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vigie_devkit.images.errors import NoSuchImageError

MODULES = ("camera", "preprocess", "inference", "sync", "viewer", "actions", "evidence")
STAGE = "vigie.stage"  # label of build stages, of which no image is named
HUB = "hub"

GROUP = 1250
"""Of every module: volumes that they share are opened to it."""
USERS = {
    HUB: 1250,
    "camera": 1251,
    "preprocess": 1252,
    "inference": 1253,
    "sync": 1254,
    "viewer": 1255,
    "actions": 1256,
    "evidence": 1257,
}
"""One for each, so that none can write what another made (docs/decisions/0064). 1250 was everybody's before."""

# Debian's name for the processor is what Docker Hub calls the images; pip and Docker have words of their own.
ARCHITECTURES = {"amd64": "x86_64", "arm64v8": "aarch64"}
HARDWARE_KEYS = (
    *ARCHITECTURES,
    "amd64-openvino",
    "amd64-grpc",
    "arm64v8-grpc",
    "amd64-litert",
    "arm64v8-litert",
    "amd64-webgpu",
    "arm64v8-webgpu",
    "amd64-cuda",
    "amd64-tensorrt",
    "arm64v8-jetson",
    "arm64v8-qnn",
)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """What only a vendor's own image has. ``libraries`` must be there, those that match ``besides`` come along."""

    argument: str
    libraries: tuple[str, ...]
    besides: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image that can be built. Paths are relative to the checkout.

    ``key``: the hardware key it is built for; modules without anything special for a key use their processor's image.
    ``decoders``: back ends to choose from by the build argument ``DECODER``, the default first.
    ``extras``: those of the library `vigie` that the module's distribution asks for. ``engine``: packages of its lock
    beside those, as patterns; ``replaced``: what they stand in place of. ``debian``: packages of the base's own
    distribution. ``vendor``: libraries taken out of the image that the build argument of this name gives.
    """

    name: str
    key: str
    title: str
    lock: str
    extras: tuple[str, ...]
    folders: tuple[str, ...]
    entry: tuple[str, ...]
    health: tuple[str, ...]
    models: bool = False
    decoders: tuple[str, ...] = ()
    home: str = ""
    engine: tuple[str, ...] = ()
    replaced: frozenset[str] = frozenset()
    debian: tuple[str, ...] = ()
    vendor: Vendor | None = None

    @property
    def architecture(self) -> str:
        """``amd64`` or ``arm64v8``."""
        return self.key.partition("-")[0]

    @property
    def dockerfile(self) -> str:
        return f"{self.folder}/Dockerfile.{self.key}"

    @property
    def sbom(self) -> str:
        """Its bill of materials, beside the Dockerfile."""
        return f"{self.folder}/sbom.{self.key}.cdx.json"

    @property
    def folder(self) -> str:
        return self.home or f"modules/{self.name}"

    @property
    def user(self) -> str:
        """``uid:gid``, as Docker writes it."""
        return f"{USERS[self.name]}:{GROUP}"

    @property
    def repository(self) -> str:
        return f"vigie-{self.name}"

    @property
    def label(self) -> str:
        return f"{self.name} {self.key}"


_PYTHON = ("/opt/vigie/env/bin/python", "-I", "-B")
_MODULE_HEALTH = (*_PYTHON, "-S", "/opt/vigie/app/vigie/container_health.py")
HUB_HEALTH = (*_PYTHON, "-S", "/opt/vigie/app/vigie_edgehub/container_health.py", "/var/lib/vigie/hub")

_TITLES = {
    "camera": "opens cameras, stamps frames, hands them to preprocess",
    "preprocess": "fits frames to the serving model's input",
    "inference": "runs the model, decodes and filters detections",
    "sync": "commits detections to a ledger and sends them upstream",
    "viewer": "a page that shows what the device sees, thinks and does",
    "actions": "tells programs on site what happened",
    "evidence": "takes chosen pictures and clips to Azure Blob Storage",
}
_EXTRAS = {
    "camera": ("frames", "vision", "decode", "sealing"),
    "preprocess": ("frames", "vision", "sealing"),
    "inference": ("frames", "models", "runtimes", "sealing"),
    "sync": ("sealing",),
    "viewer": ("frames", "vision", "sealing"),
    "actions": ("sealing",),
    "evidence": ("sealing",),
}


def _module(name: str, key: str) -> Image:
    return Image(
        name=name,
        key=key,
        title=_TITLES[name],
        lock=f"modules/{name}/requirements.lock",
        extras=_EXTRAS[name],
        folders=("shared", f"modules/{name}"),
        entry=(*_PYTHON, "-m", f"vigie_{name}"),
        health=_MODULE_HEALTH,
        models=name == "inference",
        decoders=("pyav", "opencv") if name == "camera" else (),
    )


def _hub(key: str) -> Image:
    return Image(
        name=HUB,
        key=key,
        title="local edge hub, for docker compose; a device has the real one",
        lock="devkit/requirements/hub.lock",
        extras=(),
        folders=("shared", "devkit/edgehub", "devkit"),
        entry=(*_PYTHON, "-m", "vigie_devkit.local.container"),
        health=HUB_HEALTH,
        home="devkit",
    )


_VULKAN = ("libvulkan1", "mesa-vulkan-drivers")
_CUDA = ("onnxruntime-gpu", "nvidia-*")
_TENSORRT = Vendor(
    argument="TENSORRT",
    libraries=("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"),
    besides="libnvinfer_builder_resource*.so.10*",  # kernels that the builder loads by their full name
)


def _accelerated(
    key: str, engine: str, packages: Sequence[str], *, extra: str = "", replaces: bool = False, **more: Any
) -> Image:
    """Inference with one more engine in it. Args: engine: names its lock."""
    plain = _module("inference", key)
    return replace(
        plain,
        lock=f"modules/inference/requirements.{engine}.lock",
        extras=(*plain.extras, *([extra] if extra else [])),
        engine=tuple(packages),
        replaced=frozenset({"onnxruntime"} if replaces else ()),
        **more,
    )


_LITERT = ("ai-edge-litert", "backports-strenum", "colorama", "ml-dtypes", "tqdm")
_QNN = ("onnxruntime-qnn", "coloredlogs", "humanfriendly", "mpmath", "sympy")

IMAGES: tuple[Image, ...] = (
    *(_module(name, key) for name in MODULES for key in ARCHITECTURES),
    _accelerated("amd64-openvino", "openvino", ("openvino", "openvino-telemetry"), extra="openvino"),
    *(_accelerated(f"{key}-grpc", "grpc", ("grpcio",), extra="grpc") for key in ARCHITECTURES),
    *(_accelerated(f"{key}-litert", "litert", _LITERT, extra="litert") for key in ARCHITECTURES),
    _accelerated("amd64-webgpu", "webgpu", ("onnxruntime-webgpu",), replaces=True, debian=_VULKAN),
    # For ARM64 there is the plug-in only.
    _accelerated("arm64v8-webgpu", "webgpu-ep", ("onnxruntime-ep-webgpu",), debian=_VULKAN),
    _accelerated("amd64-cuda", "cuda", _CUDA, replaces=True),
    _accelerated("amd64-tensorrt", "cuda", _CUDA, replaces=True, vendor=_TENSORRT),
    _accelerated("arm64v8-jetson", "cuda", _CUDA, replaces=True),
    _accelerated("arm64v8-qnn", "qnn", _QNN, extra="qnn", debian=("libatomic1",)),
    *(_hub(key) for key in ARCHITECTURES),
)


def image_for(name: str, key: str) -> Image:
    """The image that module ``name`` runs on hardware ``key``: its own, else the one of the key's processor.

    Raises: NoSuchImageError: no such module or key.
    """
    if key not in HARDWARE_KEYS:
        raise NoSuchImageError(f"hardware key '{key}'", HARDWARE_KEYS)
    of_module = {image.key: image for image in IMAGES if image.name == name}
    if not of_module:
        raise NoSuchImageError(f"module '{name}'", (*MODULES, HUB))
    return of_module.get(key) or of_module[key.partition("-")[0]]


def version() -> str:
    """The checkout's version, which every distribution in it has."""
    from importlib.metadata import version as version_of

    return version_of("vigie-devkit")


def host_key() -> str:
    """The hardware key of this machine's processor alone."""
    machine = platform.machine().lower()
    return "arm64v8" if machine in {"arm64", "aarch64"} else "amd64"
