"""createOptions: what edgeAgent cannot put together, what Docker ignores, and what Docker refuses on the device."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from vigie.contracts import names
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.docker_api import CONTAINER, HOST
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning
from vigie_devkit.manifest.placeholders import PLACEHOLDER
from vigie_devkit.manifest.render import PIECE_CHARACTERS, PIECES

_PIECE = re.compile(r"createOptions(\d*)")
_SMALLEST_MEMORY = 6 << 20
# Threads and processes of each module with one camera on two cores; more cores and cameras take more.
_THREADS = {
    names.CAMERA: 30,
    names.PREPROCESS: 23,
    names.INFERENCE: 34,
    names.SYNC: 27,
    names.VIEWER: 25,
    names.ACTIONS: 20,
    names.EVIDENCE: 21,
}


def piece_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """The pieces in a rendered manifest, and how many a template's will be."""
    for module in deployment.modules.values():
        whole = module.settings.get("createOptions")
        if isinstance(whole, dict):
            yield from _too_long(module)
            continue
        pieces = {int(match[1] or 0): key for key in module.settings if (match := _PIECE.fullmatch(key))}
        for number, key in sorted(pieces.items()):
            path = f"{module.path}.settings.{key}"
            if number != sorted(pieces).index(number):
                yield error(
                    "options-gap",
                    path,
                    f"piece {number - 1} is missing, so edgeAgent stops reading there",
                    "number them in turn",
                )
                break
            if number >= PIECES:
                yield error("options-too-long", path, f"edgeAgent reads {PIECES} pieces", "shorten createOptions")
            if isinstance(text := module.settings[key], str) and len(text) > PIECE_CHARACTERS:
                yield error(
                    "options-piece-too-long",
                    path,
                    f"has {len(text)} characters, a piece may have {PIECE_CHARACTERS}",
                    "render the template with ./vigie manifest render",
                )


def _too_long(module: Module) -> Iterator[Finding]:
    import json

    length = len(json.dumps(module.options, separators=(",", ":")))
    if length > PIECE_CHARACTERS * PIECES:
        yield error(
            "options-too-long",
            module.options_path,
            f"takes {length} characters, edgeAgent reads {PIECE_CHARACTERS * PIECES}",
            "shorten it",
        )


def member_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Members that Docker does not know where they stand: it ignores them without a word.

    Case does not matter to it: aziot-edged passes members on as they are and Go's decoder ignores case.
    """
    for module in deployment.modules.values():
        yield from _members(module.options, module.options_path, CONTAINER, HOST, "move it into HostConfig")
        yield from _members(module.host.host, module.host_path, HOST, CONTAINER, "move it out of HostConfig")


def _members(
    given: Mapping[str, Any], path: str, known: frozenset[str], elsewhere: frozenset[str], move: str
) -> Iterator[Finding]:
    by_lower = {name.lower(): name for name in known}
    for key in given:
        if key in known:
            continue
        if key.lower() in by_lower:
            yield hint(
                "options-case",
                f"{path}.{key}",
                f"is read as {by_lower[key.lower()]}: Docker ignores case, other tools do not",
                f"write {by_lower[key.lower()]}",
            )
        else:
            remedy = move if key in elsewhere else _did_you_mean(key, known)
            yield error("options-ignored", f"{path}.{key}", "Docker ignores it here", remedy)


def value_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for module in deployment.modules.values():
        host, path = module.host.host, module.host_path
        yield from _capabilities(host.get("DeviceRequests"), f"{path}.DeviceRequests")
        yield from _memory(module, host.get("Memory"), f"{path}.Memory")
        yield from _pids(module, host.get("PidsLimit"), f"{path}.PidsLimit")
        for index, group in enumerate(host.get("GroupAdd") or []):
            if not str(group).isdigit() and not PLACEHOLDER.fullmatch(str(group)):
                yield warning(
                    "options-group-name",
                    f"{path}.GroupAdd[{index}]",
                    f"{group!r} is looked up inside the image: where it is unknown the container is not created",
                    "write the number that the device has for it (stat -c %g DEVICE)",
                )
        if host.get("Privileged") or host.get("CapAdd"):
            yield warning(
                "options-privileged",
                path,
                "Privileged or CapAdd is taken away where config.toml has allow_elevated_docker_permissions = false",
                "ask for single Devices instead",
            )
        if "RestartPolicy" in host:
            yield warning(
                "options-restart-policy",
                f"{path}.RestartPolicy",
                "edgeAgent starts modules itself",
                "use restartPolicy",
            )
        for index, bind in enumerate(host.get("Binds") or []):
            source = str(bind).partition(":")[0]
            if source.startswith((".", "~")):
                yield error(
                    "options-bind-relative",
                    f"{path}.Binds[{index}]",
                    f"{source!r} is not an absolute path: Docker refuses it, and no shell expands it",
                    "write the absolute path on the device",
                )


def _capabilities(requests: Any, path: str) -> Iterator[Finding]:
    for index, request in enumerate(requests if isinstance(requests, list) else []):
        wanted = request.get("Capabilities") if isinstance(request, dict) else None
        if not isinstance(wanted, list) or not wanted or not all(isinstance(group, list) for group in wanted):
            yield error(
                "options-gpu-capabilities",
                f"{path}[{index}].Capabilities",
                "must be a list of lists: Docker refuses anything else, and the module never starts",
                'write [["gpu"]]',
            )


def _memory(module: Module, memory: Any, path: str) -> Iterator[Finding]:
    if memory is None:
        if module.kind:
            yield warning(
                "memory-no-limit",
                path,
                "is missing: a leak takes the whole device, the hub's memory included",
                "write a limit in bytes; deployment.template.json has one for each module",
            )
    elif isinstance(memory, bool) or not isinstance(memory, int):
        yield error(
            "memory-not-bytes",
            path,
            f"is {memory!r}; Docker takes a whole number of bytes",
            "write 536870912 for 512 MiB",
        )
    elif memory < _SMALLEST_MEMORY:
        yield error(
            "memory-not-bytes", path, f"is {memory} bytes; Docker refuses less than 6 MiB", "write bytes, not megabytes"
        )


def _pids(module: Module, limit: Any, path: str) -> Iterator[Finding]:
    """Docker: 0, -1 and none are no limit. A thread counts as a process does."""
    least = _THREADS.get(module.kind, 0)
    if limit is None or limit in (0, -1):
        if module.kind:
            yield hint(
                "pids-no-limit",
                path,
                "is missing: threads that leak, or a program that starts others, take the whole device",
                "write 256; deployment.template.json has one for each module",
            )
    elif isinstance(limit, bool) or not isinstance(limit, int):
        yield error("pids-limit", path, f"is {limit!r}; Docker takes a whole number", "write 256")
    elif limit < least:
        yield error(
            "pids-limit",
            path,
            f"is {limit}; {module.kind} runs {least} threads and processes with one camera, and ends without them",
            "write 256, or 1024 for camera and inference",
        )


def _did_you_mean(key: str, known: frozenset[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(key.lower(), by_lower, 1, 0.7)
    return f"did you mean {by_lower[close[0]]}?" if close else "remove it; see Docker's API, container create"
