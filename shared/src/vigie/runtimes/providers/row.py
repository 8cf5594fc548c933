"""What a row of the provider table says. Rows are data: nothing here imports a runtime or looks at the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Kind = Literal["choice", "integer", "number", "switch", "text", "path", "shapes"]
Scope = Literal["provider", "session"]
Way = Literal["built-in", "plugin", "direct"]
Objective = Literal["latency", "throughput", "energy"]


class Option(msgspec.Struct, frozen=True):
    """One option that a candidate may set, as the provider documents it.

    ``kind``: ``switch`` is 0 or 1 (or the two words in ``choices``); ``shapes`` is ``name:1x3x416x416,...``.
    ``low`` and ``high`` bound numbers, both included. ``scope``: given to the provider, or a session configuration key.
    """

    kind: Kind
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    scope: Scope = "provider"
    meaning: str = ""


class DeviceNeed(msgspec.Struct, frozen=True):
    """What must be in the hardware report for a device of the row, by the report's ids; ``ids`` empty = the CPU.

    ``emulated_on``: machines on which the provider's package has a software model of the device in its place.
    ``emulated_by``: ids of the report that stand for a software driver in the device's place.
    """

    ids: tuple[str, ...] = ()
    machines: tuple[str, ...] = ("x86_64", "aarch64")
    emulated_on: tuple[str, ...] = ()
    emulated_by: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True):
    """A distribution that brings the provider. ``extra``: of Vigie; ``where``: if it is on no public index."""

    name: str
    machines: tuple[str, ...] = ("x86_64", "aarch64")
    extra: str = ""
    where: str = ""


class Row(msgspec.Struct, frozen=True):
    """One provider.

    ``id``: a candidate's ``provider``. ``engine``: who opens it. ``ep``: ONNX Runtime's full name, or OpenVINO's word.
    ``way``: in ONNX Runtime's own library, a plugin library (``plugin_module`` finds it), or a runtime of its own.
    ``devices``: need by the candidate's ``device``. ``libraries``: shared libraries it must find, newest name first in
    each group. ``precisions``: of variants, the preferred first; ``unsuited``: precision -> why not. ``format``: of the
    files that it reads.
    ``also``: providers that take what this one leaves. ``fixed``: options always set; ``from_plugin``: options whose
    value is what a function of the plugin module returns; ``by_precision``: what a variant of it needs;
    ``performance``: by objective; ``hints``: the same, given to the open session (``ep.dynamic``).
    ``device_option`` takes the device's name, ``threads_option`` the candidate's threads
    (on the CPU, where the provider has threads of its own). ``device_type``: what ONNX Runtime calls the device, if it
    differs (``NPU|CPU``: the first it sees). ``own_optimiser``: graphs come as they are.
    ``cache``: options that keep compiled models in ``{folder}``. ``context``: compiled ahead of time (EPContext).
    ``preload``: libraries of pip's packages, which the loader does not find by itself; in the order of loading.
    ``vulkan``: the device is one of Vulkan's adapters, which say whether it is real.
    ``named``: there is no candidate until the configuration names its library; ``own_options``: options with this
    prefix are the library's own, unchecked.
    ``images``: hardware keys of Vigie's images that hold it; empty: none of its own (``cpu`` is in all of them).
    ``create_options``: what IoT Edge's createOptions must hold beside the image. ``platform``: ``sys.platform``.
    """

    id: str
    title: str
    engine: Literal["onnxruntime", "openvino", "litert"]
    ep: str
    way: Way
    packages: tuple[Package, ...]
    devices: dict[str, DeviceNeed]
    precisions: tuple[str, ...]
    options: dict[str, Option]
    unsuited: dict[str, str] = {}
    format: Literal["onnx", "tflite"] = "onnx"
    platform: str = "linux"
    plugin_module: str = ""
    libraries: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    fixed: dict[str, str] = {}
    from_plugin: dict[str, str] = {}
    device_option: str = ""
    threads_option: str = ""
    by_precision: dict[str, dict[str, str]] = {}
    device_type: dict[str, str] = {}
    own_optimiser: bool = False
    performance: dict[Objective, dict[str, str]] = {}
    hints: dict[Objective, dict[str, str]] = {}
    cache: dict[str, str] = {}
    context: bool = False
    preload: tuple[str, ...] = ()
    vulkan: bool = False
    named: bool = False
    own_options: str = ""
    images: tuple[str, ...] = ()
    create_options: Mapping[str, object] = {}
    remarks: str = ""


def choice(*words: str, meaning: str = "") -> Option:
    return Option("choice", choices=words, meaning=meaning)


def switch(meaning: str = "", *, words: tuple[str, str] = ("0", "1")) -> Option:
    return Option("switch", choices=words, meaning=meaning)


def integer(low: int, high: int, meaning: str = "") -> Option:
    return Option("integer", low=low, high=high, meaning=meaning)


def session_switch(meaning: str) -> Option:
    return Option("switch", choices=("0", "1"), scope="session", meaning=meaning)


def device_nodes(*paths: str, groups: Sequence[str] = (), **more: Sequence[str]) -> dict[str, object]:
    """For ``create_options``. ``groups``: of the host, whose members may open the nodes. ``more``: of HostConfig."""
    devices = [{"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in paths]
    members = {"GroupAdd": [f"<gid of {group} on the host>" for group in groups]} if groups else {}
    return {"HostConfig": {"Devices": devices, **members, **more}}
