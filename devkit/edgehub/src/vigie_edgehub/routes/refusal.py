"""Why a route or an edgeHub configuration cannot take effect, with the place and what was expected there."""

from __future__ import annotations

from vigie_edgehub.errors import HubConfigRefusedError, RouteRefusedError

__all__ = ["HubConfigRefusedError", "RouteRefusedError", "refuse"]


def refuse(text: str, at: int, reason: str) -> RouteRefusedError:
    """``at``: offset from 0 in the route ``text``; people count columns from 1."""
    return RouteRefusedError(text, at + 1, reason)
