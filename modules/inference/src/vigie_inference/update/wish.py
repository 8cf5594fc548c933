"""What the twin asks for now, and how work on it ends early."""

from __future__ import annotations

from dataclasses import dataclass

from vigie_inference.config import InferenceConfig
from vigie_inference.update.release import Release, key_of


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """One request of the twin."""

    name: str
    release: Release
    key: str


class SupersededError(Exception):
    """The twin asks for something else by now, or the module stops."""


class RefusedError(Exception):
    """The request cannot become right by waiting; the text says why."""


def request_of(config: InferenceConfig) -> UpdateRequest | None:
    """What is to serve in the main seat; None: the model of desired property ``model``."""
    for name, release in (config.models or {}).items():
        if release.cameras is None and not release.beside:
            return UpdateRequest(name, release, key_of(name, release))
    return None
