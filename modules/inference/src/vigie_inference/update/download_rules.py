"""When and how fast releases are fetched, and how much of the disk they may take."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.transfers import QuietHours


class DownloadRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When and how fast releases are fetched, and how much of the disk they may take. A change applies at once."""

    bytes_per_second: (
        Annotated[int, Meta(ge=1024, le=1 << 40, description="Rate of downloads; absent: as fast as it goes.")] | None
    ) = None
    quiet_hours: (
        Annotated[
            QuietHours,
            Meta(
                description="Hours in which nothing is fetched; what has begun goes on afterwards where it broke off."
            ),
        ]
        | None
    ) = None
    disk_bytes: Annotated[
        int,
        Meta(
            ge=1 << 16,
            le=1 << 40,
            description="Disk that releases may take together, those under way at twice their size. Former ones make "
            "room, the oldest first; a release that does not fit even then is refused.",
        ),
    ] = 4 << 30
    keep: Annotated[
        int,
        Meta(
            ge=1,
            le=16,
            description="Former releases that are kept: going back to one of them needs no download and no trial.",
        ),
    ] = 2
