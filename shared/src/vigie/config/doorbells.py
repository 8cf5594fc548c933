"""What the twin of a module says about the doorbells of its outputs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class DoorbellConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether what modules exchange may leave the routes, and for how long without the hub. Changes count at once."""

    on: Annotated[
        bool, Meta(description="false: every message goes by the route, as for a consumer of another maker.")
    ] = True
    grace_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="How long messages go on by doorbell while edgeHub is away; then they wait for it.",
        ),
    ] = 300.0
