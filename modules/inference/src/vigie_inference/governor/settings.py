"""When inference does less, by twin."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class GovernorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Less work while the machine is hot or slows itself down, draws too much, or its battery is nearly empty."""

    on: Annotated[bool, Meta(description="Whether heat, power and battery change what is done.")] = True
    hot_celsius: (
        Annotated[
            float,
            Meta(
                ge=30,
                le=120,
                description="From here on less is done; absent: 5 degrees below where the kernel lowers clocks, 80 "
                "where it does not say.",
            ),
        ]
        | None
    ) = None
    power_watts_max: (
        Annotated[
            float,
            Meta(gt=0, le=10_000, description="Most that the meter may show (board, CPU package or GPU); needs one."),
        ]
        | None
    ) = None
    battery_percent: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="On a battery that is this empty, as little as possible is done (`power_critical`). 0: never.",
        ),
    ] = 0.0
    rate_min: Annotated[
        float, Meta(ge=0.01, le=1, description="Least share of the frames that is inferred, whatever the machine says.")
    ] = 0.1
