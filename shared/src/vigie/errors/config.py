"""Errors of configurations: desired properties, environment, files."""

from __future__ import annotations

from vigie.errors.base import PermanentError


class ConfigRefusedError(PermanentError):
    """A desired property (or environment value) that cannot take effect; what ran before goes on."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep the JSON ``path`` (``$.cameras.dock.source``) and a ``reason`` that says what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
