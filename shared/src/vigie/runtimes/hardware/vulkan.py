"""Software drivers of Vulkan: they look like a GPU to who asks Vulkan, and compute on the CPU.

Source: the Vulkan loader's documentation, "Driver discovery": manifests (JSON with ``ICD.library_path``) in known
folders, or those that VK_DRIVER_FILES (formerly VK_ICD_FILENAMES) names in their place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from vigie.runtimes.hardware.report import Device
from vigie.runtimes.hardware.tree import Tree

_FOLDERS = ("etc/vulkan/icd.d", "usr/local/etc/vulkan/icd.d", "usr/local/share/vulkan/icd.d", "usr/share/vulkan/icd.d")
# By the name of the driver's library.
_SOFTWARE = {"libvulkan_lvp": "Mesa's lavapipe", "libvk_swiftshader": "SwiftShader"}


def find_software_drivers(tree: Tree) -> Iterator[Device]:
    """Each as a device of class ``gpu-software``, which is never usable: what runs there says nothing of speed."""
    for path in _manifests(tree):
        library = _library(tree.text(path))
        for prefix, name in _SOFTWARE.items():
            if library.rpartition("/")[2].startswith(prefix):
                yield Device(
                    "gpu-software",
                    f"{name}, a software driver",
                    f"/{path}",
                    "vulkan",
                    usable=False,
                    why_not="it computes on the CPU",
                    remedy="",
                )


def _manifests(tree: Tree) -> list[str]:
    if tree.root == tree.root.parent:  # "/" only: a test's tree has its own environment
        named = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
        if named:
            return [path.lstrip("/") for path in named.split(":") if path.startswith("/") and tree.exists(path[1:])]
    return [path for folder in _FOLDERS for path in tree.glob(f"{folder}/*.json")]


def _library(text: str) -> str:
    try:
        found = json.loads(text)["ICD"]["library_path"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
