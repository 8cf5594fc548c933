"""How drift is found, by twin."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class DriftConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether what a camera shows has moved away from what the serving model saw there in its first days."""

    on: Annotated[bool, Meta(description="Whether objects are counted for it.")] = True
    base_hours: Annotated[
        float,
        Meta(gt=0, le=2160, description="Hours of frames that are the base, and at least 200 objects; per camera."),
    ] = 72.0
    window_hours: Annotated[
        float,
        Meta(
            gt=0,
            le=720,
            description="The last hours that are compared with it. A day has its own night, so whole days.",
        ),
    ] = 24.0
    psi_max: Annotated[
        float,
        Meta(gt=0, le=10, description="Least population stability index that is told as drift; chance apart."),
    ] = 0.25
