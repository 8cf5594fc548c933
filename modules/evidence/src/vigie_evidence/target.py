"""What takes evidence: one file per kind of target implements ``Target``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vigie.contracts.evidence import EvidenceFacts
from vigie.secrets import SecretStore
from vigie_evidence.content import Content


class TargetAwayError(Exception):
    """It was not taken now and is tried again. ``retry_s``: not sooner. ``patient``: somebody has to do something."""

    def __init__(self, reason: str, retry_s: float | None = None, *, patient: bool = False) -> None:
        super().__init__(reason)
        self.retry_s, self.patient = retry_s, patient


class ContentRefusedError(Exception):
    """The target will never take this; after some tries it is dropped, counted."""


class StoppedError(Exception):
    """The module ends, or the target has other settings."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What targets get of the device. ``folder``: below which local targets may write; None: nowhere."""

    device_id: str
    version: str
    secrets: SecretStore
    secrets_folder: Path
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Upload:
    """``blob``: the name at the target. ``moved``: called with bytes before they go; it waits for the rate.

    It raises ``StoppedError`` when the thread is to end.
    """

    facts: EvidenceFacts
    blob: str
    data: Content
    moved: Callable[[int], None]
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """``url`` without any token. ``verified``: the target's own hash was compared, or it checked ours."""

    url: str
    verified: bool = True
    blocks_resumed: int = 0


class Target(Protocol):
    """Used from one thread, which may block."""

    def upload(self, upload: Upload) -> UploadReceipt:
        """Return when the target has it whole.

        Raises: TargetAwayError, ContentRefusedError, StoppedError; DamagedError: what is on the device's disk is not
        what was taken.
        """

    def replace(self, blob: str, content: bytes, stop: threading.Event) -> None:
        """Put a small text there, instead of what is there. Raises: as ``upload``."""

    def close(self) -> None:
        """Give back connections."""
