"""The request of the direct method ``erase``, the same in every module that keeps what was seen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.errors import MethodRefusedError
from vigie.ledger.erasure import Erasure


class Erase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``erase``: a camera, a span of time (ISO 8601 with its offset, both ends included), or both.

    ``set_aside``: damaged ledgers that were kept go as well, as a whole.
    """

    camera: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    since: datetime | None = None
    until: datetime | None = None
    set_aside: bool = False

    def erasure(self) -> Erasure:
        """Raises: MethodRefusedError: 400, it could mean something else."""
        what = Erasure(self.camera, _with_offset("since", self.since), _with_offset("until", self.until))
        if what.camera is None and not what.timed:
            raise MethodRefusedError(400, "$: name a camera, or a span of time by 'since' or 'until'")
        if what.since is not None and what.until is not None and what.since > what.until:
            raise MethodRefusedError(400, "$.since: is after 'until'")
        return what


def _with_offset(name: str, moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise MethodRefusedError(400, f"$.{name}: say which time zone, for instance {moment.isoformat()}Z")
    return moment
