"""Progress of a consumer, sent back on a reverse route where the frame folder is not shared."""

from __future__ import annotations

import msgspec


class Credit(msgspec.Struct, frozen=True):
    """``consumer`` has processed all messages of ``sender``'s ``output`` up to ``sent`` of this ``boot``."""

    consumer: str
    sender: str
    output: str
    boot: str
    sent: int
