"""What the viewer asks of the other modules while somebody looks, and what a module answers about itself.

Nobody looks: no demand names a camera, and a module sends no frame claim and no detection to the viewer.
"""

from __future__ import annotations

from typing import Any

import msgspec


class EventsAfter(msgspec.Struct, frozen=True):
    """The last event that the viewer has: its ``number``, and ``boot`` of the sync that gave it; "" and 0: none."""

    boot: str
    number: int


class Demand(msgspec.Struct, frozen=True):
    """Answer with one ModuleStatus now; until ``seconds`` from now also send what ``cameras`` asks for.

    ``cameras``: camera to ``every``: of its frames, those whose ``seq`` is a multiple of ``every`` (a power of two),
    so that camera and inference, which count separately, choose the same frames. A later demand replaces this one.
    ``schema``: the status also carries the JSON Schema of the module's desired properties. ``events_after``: sync also
    sends the events after that one, and those to come at once; a viewer of the version before does not ask.
    """

    cameras: dict[str, int]
    seconds: float
    schema: bool = False
    events_after: EventsAfter | None = None


class ModuleStatus(msgspec.Struct, frozen=True):
    """One module as it sees itself. ``desired``: the configuration in force; ``reported``: its reported properties.

    Both are redacted. ``metrics``: every sample as ``name{label="value"}``, as in the method ``get_status``.
    """

    module: str
    version: str
    boot: str
    uptime_s: float
    missing: dict[str, str]
    notes: dict[str, str]
    twin_version: int | None
    desired: dict[str, Any]
    reported: dict[str, Any]
    metrics: dict[str, float]
    schema: dict[str, Any] | None = None
