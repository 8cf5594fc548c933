"""The last seconds of a camera's packets: whole groups of pictures, bounded in seconds and bytes. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Kept:
    """One packet. ``pts``, ``dts``, ``duration``: in the stream's time base; ``at_s``: its ``dts`` in seconds."""

    payload: bytes
    pts: int | None
    dts: int
    duration: int | None
    key: bool
    at_s: float


class PreRoll:
    """Begins with a key frame, always: anything else cannot be decoded without what came before."""

    def __init__(self, keep_s: float, bytes_max: int) -> None:
        """At least ``keep_s`` seconds, as long as they fit ``bytes_max``."""
        self._keep_s, self._bytes_max = keep_s, bytes_max
        self._groups: deque[list[Kept]] = deque()
        self._bytes = 0

    def add(self, packet: Kept) -> bool:
        """False: its time is not after the one before, so the stream began anew and everything kept is gone."""
        follows = not self._groups or packet.dts > self._groups[-1][-1].dts
        if not follows:
            self.clear()
        if packet.key:
            self._groups.append([])
        if not self._groups:
            return follows
        self._groups[-1].append(packet)
        self._bytes += len(packet.payload)
        while len(self._groups) > 1 and (
            packet.at_s - self._groups[1][0].at_s >= self._keep_s or self._bytes > self._bytes_max
        ):
            self._bytes -= sum(len(one.payload) for one in self._groups.popleft())
        if self._bytes > self._bytes_max:
            # One group alone is too large: what is left of it without its key frame is worth nothing.
            self.clear()
        return follows

    def since(self, before_s: float) -> list[Kept]:
        """From the last key frame that is at least ``before_s`` old, else from the oldest there is."""
        if not self._groups:
            return []
        begin_s = self._groups[-1][-1].at_s - before_s
        found: list[Kept] = []
        for group in reversed(self._groups):
            found = [*group, *found]
            if group[0].at_s <= begin_s:
                break
        return found

    def clear(self) -> None:
        self._groups.clear()
        self._bytes = 0


@dataclass(slots=True)
class ClipRecording:
    """A clip that is being taken: what was kept, then what comes until ``until_s`` of the stream's own time.

    ``asked_s``: the stream's time when it was asked for; ``give_up_at``: monotonic, for a stream that stops.
    """

    number: int
    packets: list[Kept]
    asked_s: float
    until_s: float
    give_up_at: float
    bytes_max: int
    full: bool = False
    _bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._bytes = sum(len(packet.payload) for packet in self.packets)

    def add(self, packet: Kept) -> None:
        if self._bytes + len(packet.payload) > self.bytes_max:
            self.full = True
        else:
            self.packets.append(packet)
            self._bytes += len(packet.payload)

    def is_done(self, now_s: float) -> bool:
        """Whether nothing more belongs to it, or nothing more will come."""
        return self.full or self.packets[-1].at_s >= self.until_s or now_s >= self.give_up_at
