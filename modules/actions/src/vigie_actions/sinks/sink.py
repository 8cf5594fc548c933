"""What a sink is: something that takes a batch of events, or says why not. A new kind is one file beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vigie.addresses import NetworkPolicy
from vigie.secrets import SecretStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sinks get of the device. ``secrets_folder`` also holds CA files; ``boot`` names this start."""

    device_id: str
    module_id: str
    version: str
    boot: str
    secrets: SecretStore
    secrets_folder: Path
    policy: NetworkPolicy


@dataclass(frozen=True, slots=True)
class Shipment:
    """One delivery: the same ``id`` and ``body`` at every try, over restarts too. ``body`` is `vigie.events/1`."""

    id: str
    body: bytes


class SinkAwayError(Exception):
    """The receiver did not take it now; it is tried again. ``retry_s``: not sooner, if the receiver says so."""

    def __init__(self, reason: str, retry_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


class SinkRefusedError(Exception):
    """The receiver will never take this batch as it is; after some tries it is dropped, counted."""


class Sink(Protocol):
    """Used from one thread, which may block in ``deliver``."""

    def deliver(self, shipment: Shipment, timeout_s: float) -> None:
        """Return when the receiver has taken it. Raises: SinkAwayError, SinkRefusedError."""

    def close(self) -> None:
        """Give back connections and threads."""
