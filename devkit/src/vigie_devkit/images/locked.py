"""What an image is to hold: the packages that its lock pins for its Python and processor, and our distributions."""

from __future__ import annotations

import re

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from vigie_devkit.images.catalogue import ARCHITECTURES, HUB, Image
from vigie_devkit.images.catalogue import version as checkout_version
from vigie_devkit.local.paths import CHECKOUT

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?:\s*;\s*(.*?))?\s*\\?$", re.MULTILINE)


def locked(image: Image) -> dict[str, str]:
    """Canonical name to version of what the lock pins for the image's Python and processor."""
    environment = {
        "implementation_name": "cpython",
        "platform_machine": ARCHITECTURES[image.architecture],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": "3.11.0",
        "python_version": "3.11",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    text = (CHECKOUT / image.lock).read_text(encoding="utf-8")
    return {
        canonicalize_name(name): version
        for name, version, marker in _PIN.findall(text)
        if not marker or Marker(marker).evaluate(environment)
    }


def own_distributions(image: Image) -> dict[str, str]:
    """Ours: the library and the module, or the hub and the dev kit in the hub's image."""
    ours = ("vigie-edgehub", "vigie-devkit") if image.name == HUB else (f"vigie-{image.name}",)
    return dict.fromkeys(("vigie", *ours), checkout_version())
