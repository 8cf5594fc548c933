"""Errors of the local hub, its routes and its configuration."""

from __future__ import annotations

from vigie.errors import PermanentError


class HubStartError(PermanentError):
    """The local edge hub cannot start (or cannot take a manifest): one sentence says what to change."""


class UpstreamUnreadableError(PermanentError):
    """The record of `$upstream` is not there or not readable."""

    def __init__(self, file: object, reason: str) -> None:
        """``file``: its path; ``reason``: what was found and what to do."""
        super().__init__(f"upstream record {file}: {reason}")
        self.file = file
        self.reason = reason


class RouteRefusedError(PermanentError):
    """A route that edgeHub would refuse; the whole new configuration with it, the old one stays in force."""

    def __init__(self, route: str, at: int, reason: str) -> None:
        """``at``: offset in ``route`` from 0; people count columns from 1. ``reason``: what was expected there."""
        self.column = at + 1
        super().__init__(f"column {self.column}: {reason}")
        self.route = route
        self.reason = reason


class HubConfigRefusedError(PermanentError):
    """Desired properties of ``$edgeHub`` that cannot take effect."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep the JSON ``path`` (``$.routes.cameraToSync``) and a ``reason`` that says what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
