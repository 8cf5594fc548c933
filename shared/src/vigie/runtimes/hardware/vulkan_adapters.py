"""Which GPUs Vulkan offers to this process, and whether they are real: asked of Vulkan's loader itself, by ctypes.

WebGPU picks an adapter and does not tell which. A software driver (lavapipe, SwiftShader) answers like a GPU; only its
adapter's type tells the two apart. Source: Vulkan 1.3, vkEnumeratePhysicalDevices and VkPhysicalDeviceProperties.
"""

from __future__ import annotations

import ctypes
import os
import struct

import msgspec

_SUCCESS, _INCOMPLETE = 0, 5
_TYPES = ("other", "integrated", "discrete", "virtual", "cpu")
_NAME_AT, _NAME_BYTES = 20, 256
_PROPERTIES_BYTES = 4096  # VkPhysicalDeviceProperties has 824
# Globs over manifests' names, for loaders from 1.3.234 on.
_HIDE_SOFTWARE = "*lvp*,*swiftshader*"


class VulkanAdapter(msgspec.Struct, frozen=True):
    """``kind``: ``discrete``, ``integrated``, ``virtual``, ``cpu`` (a software driver) or ``other``."""

    name: str
    kind: str


class _ApplicationInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("version", ctypes.c_uint32),
        ("engine", ctypes.c_char_p),
        ("engine_version", ctypes.c_uint32),
        ("api", ctypes.c_uint32),
    )


class _InstanceInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.POINTER(_ApplicationInfo)),
        ("layers", ctypes.c_uint32),
        ("layer_names", ctypes.c_void_p),
        ("extensions", ctypes.c_uint32),
        ("extension_names", ctypes.c_void_p),
    )


def adapters() -> tuple[VulkanAdapter, ...]:
    """What Vulkan lists, in its order; nothing where there is no loader or no driver."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return ()
    application = _ApplicationInfo(type=0, api=1 << 22)  # VK_API_VERSION_1_0
    info = _InstanceInfo(type=1, application=ctypes.pointer(application))
    instance = ctypes.c_void_p()
    if vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance)) != _SUCCESS:
        return ()
    try:
        count = ctypes.c_uint32()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        handles = (ctypes.c_void_p * count.value)()
        if vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles) not in {_SUCCESS, _INCOMPLETE}:
            return ()
        return tuple(_adapter(vulkan, handle) for handle in handles[: count.value] if handle)
    finally:
        vulkan.vkDestroyInstance(instance, None)


def use_real_ones_only() -> tuple[VulkanAdapter, ...]:
    """Hide software drivers from whoever opens Vulkan in this process later, if there is a real GPU beside them.

    WebGPU refuses some adapters (an old driver); it would take the software driver in its place without saying so.
    Returns: what is left: real GPUs, or software drivers alone, or nothing.
    """
    found = adapters()
    real = tuple(adapter for adapter in found if adapter.kind != "cpu")
    if real and len(real) < len(found):
        os.environ.setdefault("VK_LOADER_DRIVERS_DISABLE", _HIDE_SOFTWARE)
    return real or found


def _adapter(vulkan: ctypes.CDLL, handle: int) -> VulkanAdapter:
    properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
    (kind,) = struct.unpack_from("=i", properties.raw, 16)
    name = properties.raw[_NAME_AT : _NAME_AT + _NAME_BYTES].split(b"\0", 1)[0].decode("utf-8", "replace")
    return VulkanAdapter(name, _TYPES[kind] if 0 <= kind < len(_TYPES) else "other")
