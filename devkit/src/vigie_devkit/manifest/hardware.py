"""What a class of hardware adds to createOptions: devices, groups, runtime; one file each in `deploy/hardware`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vigie_devkit.manifest.errors import ManifestError

NONE = "none"


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``platforms``: keys whose default this is; ``host``: what the device needs, for people.

    ``modules``: by module, what is merged into its createOptions: objects by key, lists joined, all else replaced.
    ``ran``: whether a device of this class has run it.
    """

    description: str
    platforms: list[str]
    host: list[str]
    modules: dict[str, dict[str, Any]]
    ran: bool


def read_hardware(folder: Path) -> dict[str, Hardware]:
    """Every class of ``folder`` by name. Raises: ManifestError: a file that is none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = msgspec.json.decode(path.read_bytes(), type=Hardware)
        except (OSError, msgspec.DecodeError) as error:
            raise ManifestError(
                str(path), f"does not describe a class of hardware ({error})", "compare it with another one"
            ) from error
    return found


def choose_hardware(known: Mapping[str, Hardware], platform: str, wanted: str | None) -> Hardware | None:
    """``wanted``, or the default of ``platform``, or None. Raises: ManifestError: no such class."""
    if wanted == NONE:
        return None
    if wanted is not None:
        if wanted not in known:
            raise ManifestError("--hardware", f"{wanted!r} is unknown", f"use one of {', '.join([*known, NONE])}")
        return known[wanted]
    return next((one for one in known.values() if platform in one.platforms), None)


def add_hardware(options: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` of a module with ``extra`` merged in; both are left as they are."""
    merged = copy.deepcopy(dict(options))
    for key, value in extra.items():
        present = merged.get(key)
        if isinstance(value, Mapping) and isinstance(present, dict):
            merged[key] = add_hardware(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            merged[key] = [*present, *(item for item in value if item not in present)]
        else:
            merged[key] = copy.deepcopy(value)
    return merged
