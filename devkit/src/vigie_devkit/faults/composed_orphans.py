"""Projects of trials whose process was killed: taken down at the next start, as folders of trials are."""

from __future__ import annotations

import re
import socket
import zlib
from collections.abc import Sequence
from contextlib import suppress

from vigie_devkit.images.compose import PROJECT_LABEL, Compose
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import ImageError
from vigie_devkit.local.processes import ProcessId, start_ticks

_NAME = re.compile(r"vigie-faults-([0-9a-f]{8})-(\d+)-(\d+)")


def project_name(pid: int) -> str:
    """``vigie-faults-HOST-PID-TICKS``: says whose it is."""
    return f"vigie-faults-{_host()}-{pid}-{start_ticks(pid) or 0}"


def is_orphan(project: str) -> bool:
    """Of a process of this machine that is gone. Doubt keeps it: an engine serves other machines, too."""
    found = _NAME.fullmatch(project)
    return found is not None and found[1] == _host() and not ProcessId(int(found[2]), int(found[3])).is_alive()


def clear_orphans(engine: ContainerEngine, words: Sequence[str]) -> list[str]:
    """Take them down with their volumes. Returns: which."""
    listed = engine.ask("ps", "--all", "--format", f'{{{{.Label "{PROJECT_LABEL}"}}}}').split()
    orphans = sorted({one for one in listed if is_orphan(one)})
    for project in orphans:
        with suppress(ImageError):
            Compose(engine, list(words), project, {}).run("down", "--volumes", "--timeout", "5")
    return orphans


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
