"""Who has a session, a twin and queues, as one word: a module of this edge device, the device itself, or a leaf device.

``"filter"`` is a module, ``""`` the edge device, ``"/pump-7"`` a leaf device: a module id never holds a slash.
"""

from __future__ import annotations

EDGE_DEVICE = ""


def leaf_owner(device: str) -> str:
    return f"/{device}"


def leaf_device(owner: str) -> str | None:
    """The leaf device that ``owner`` is, or None."""
    return owner[1:] if owner.startswith("/") else None


def client_id(owner: str, edge_device: str) -> str:
    """The MQTT client id under which ``owner`` connects."""
    if owner.startswith("/"):
        return owner[1:]
    return f"{edge_device}/{owner}" if owner else edge_device


def owner_of(device: str, module: str | None, edge_device: str) -> str:
    """The owner that a client with these ids is; modules are the edge device's own."""
    if module is not None:
        return module
    return EDGE_DEVICE if device == edge_device else leaf_owner(device)


def spoken(owner: str) -> str:
    """``owner`` as messages name it."""
    device = leaf_device(owner)
    if device is not None:
        return f"device {device!r}"
    return f"module {owner!r}" if owner else "the edge device"
