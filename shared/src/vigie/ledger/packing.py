"""How many of the items that wait go into one message. Pure.

IoT Hub bills a message in pieces of 4,096 bytes: body, properties with their names, and values of system properties.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from vigie.contracts.envelope import CONTENT_TYPE
from vigie.ledger.priorities import Priority

PIECE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Packing:
    """``priorities`` may go now. Alerts share no message with others: a route of their own lets them overtake.

    ``overhead_bytes``: of a message's properties, at most. ``bytes_max``: of a message, where the link is slow.
    """

    priorities: tuple[Priority, ...] = tuple(Priority)
    gzip: bool = False
    overhead_bytes: int = 0
    bytes_max: int | None = None


def message_bytes(body: int, properties: Mapping[str, str], message_id: str, encoding: str) -> int:
    """What IoT Hub counts of a message whose body has so many bytes."""
    system = len(message_id) + len(CONTENT_TYPE) + len(encoding)
    return body + system + sum(len(name.encode()) + len(value.encode()) for name, value in properties.items())


def pieces(size: int) -> int:
    """Billed for a message of ``size`` bytes."""
    return max(1, -(-size // PIECE_BYTES))


def fitting(sizes: list[int], room_bytes: int, overhead_bytes: int, *, more: bool) -> int:
    """How many of the first items go into one message; at least one.

    Args: sizes: of their JSON. room_bytes: what they may take. overhead_bytes: of the message beside them. more:
        further items wait that are not in ``sizes``. While more waits, a piece that would be filled in part only is
        left to the next message.
    """
    ends = list(accumulate((size + 1 for size in sizes), initial=overhead_bytes - 1))[1:]
    taken = max(1, bisect_right(ends, overhead_bytes + room_bytes))
    if taken < len(sizes) or more:
        kept = bisect_right(ends, ends[taken - 1] // PIECE_BYTES * PIECE_BYTES, hi=taken)
        if kept and _used(ends[kept - 1]) >= _used(ends[taken - 1]):
            return kept
    return taken


def _used(size: int) -> float:
    """Of the bytes that are billed, the share that is used."""
    return size / (pieces(size) * PIECE_BYTES)
