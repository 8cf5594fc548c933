"""Logs of containers: sizes that Docker refuses, and logs that grow until the disk is full."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, warning

# Source: docker/go-units, RAMInBytes.
_SIZE = re.compile(r"-1|\d+(\.\d+)* ?([kmgtp])?i?b?", re.IGNORECASE)
_JSON_FILE = "json-file"


def log_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    of_all = bool(deployment.runtime_settings.get("loggingOptions"))
    for module in deployment.modules.values():
        given = module.host.host.get("LogConfig") or {}
        config, path = given.get("Config") or {}, f"{module.host_path}.LogConfig"
        size, files = config.get("max-size"), config.get("max-file")
        if size is not None and not _SIZE.fullmatch(size):
            yield error(
                "log-size",
                f"{path}.Config.max-size",
                f"{size!r} is not a size: Docker refuses the container",
                'write "10m" for 10 MB',
            )
        if files is not None and not (files.isdecimal() and int(files) > 0):
            yield error(
                "log-size",
                f"{path}.Config.max-file",
                f"{files!r} is not a number of files: Docker refuses the container",
                'write "3"',
            )
        if module.kind and size is None and given.get("Type", _JSON_FILE) == _JSON_FILE and not (of_all and not given):
            yield warning(
                "log-unbounded",
                path,
                "has no max-size: the log grows until the disk is full, unless the engine's own settings bound it",
                'write {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}',
            )
