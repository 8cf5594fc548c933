"""Small JSON files that change as a whole: written beside, then renamed over."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec

from vigie.config.atomic import write_atomically
from vigie.log import get_logger
from vigie_edgehub.deployments import Configuration
from vigie_edgehub.state.sessions import StoredSession
from vigie_edgehub.state.twins import Twin

_MAX_NAME = 200  # the file system takes 255 bytes, and a new file is written beside the old one

T = TypeVar("T")

log = get_logger("hub")


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file of the hub: survives a kill at any moment; not a power loss (ADR-0067)."""
    write_atomically(path, content, mode=mode, durable=False)


class DocumentStore:
    """Twins (one file each), sessions and automatic deployments. A file that does not decode is set aside."""

    def __init__(self, folder: Path) -> None:
        self._twins = folder / "twins"
        self._sessions = folder / "sessions.json"
        self._configurations = folder / "configurations.json"
        self._twins.mkdir(parents=True, exist_ok=True)

    def load_twins(self) -> list[Twin]:
        twins = (self._load(path, Twin) for path in sorted(self._twins.glob("*.json")))
        return [twin for twin in twins if twin is not None]

    def save_twin(self, twin: Twin) -> None:
        write_private(self._twin_path(twin.module), msgspec.json.encode(twin))

    def delete_twin(self, owner: str) -> None:
        self._twin_path(owner).unlink(missing_ok=True)

    def load_sessions(self) -> list[StoredSession]:
        if not self._sessions.exists():
            return []
        return self._load(self._sessions, list[StoredSession]) or []

    def save_sessions(self, sessions: list[StoredSession]) -> None:
        write_private(self._sessions, msgspec.json.encode(sessions))

    def load_configurations(self) -> list[Configuration]:
        if not self._configurations.exists():
            return []
        return self._load(self._configurations, list[Configuration]) or []

    def save_configurations(self, configurations: list[Configuration]) -> None:
        write_private(self._configurations, msgspec.json.encode(configurations))

    def _twin_path(self, owner: str) -> Path:
        name = quote(owner or ".device", safe="$")
        if len(name) > _MAX_NAME:  # the file itself says whose it is
            name = sha256(owner.encode()).hexdigest()
        return self._twins / f"{name}.json"

    def _load(self, path: Path, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (msgspec.MsgspecError, OSError, ValueError) as error:
            log.error("document_unreadable", file=str(path), reason=str(error))  # noqa: TRY400 - the reason says it all
            path.replace(path.with_suffix(".damaged"))
            return None
