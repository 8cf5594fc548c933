"""Waiting messages: one queue per endpoint, a lane per priority, bodies counted once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from vigie_edgehub.message import CopyTarget


class StoredMessage:
    """A stored message as the queues know it: its size, and how many copies still wait."""

    __slots__ = ("copies", "seq", "size")

    def __init__(self, seq: int, size: int, copies: int) -> None:
        self.seq = seq
        self.size = size
        self.copies = copies


class Copy:
    """One endpoint's reference to a held message."""

    __slots__ = ("expires_at", "held", "priority")

    def __init__(self, held: StoredMessage, priority: int, expires_at: float | None) -> None:
        self.held = held
        self.priority = priority
        self.expires_at = expires_at

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class EndpointQueue:
    """FIFO lanes, lowest priority number first. ``expired`` counts what its time-to-live ended."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.expired = 0
        self.delivered = 0
        self._lanes: dict[int, deque[Copy]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[Copy]:
        for priority in sorted(self._lanes):
            yield from self._lanes[priority]

    @property
    def empty(self) -> bool:
        return not any(self._lanes.values())

    def push(self, copy: Copy) -> None:
        lane = self._lanes.get(copy.priority)
        if lane is None:
            lane = self._lanes[copy.priority] = deque()
        lane.append(copy)

    def push_back_first(self, copies: Iterable[Copy]) -> None:
        """Put fetched copies back where they were, oldest in front."""
        for copy in reversed(list(copies)):
            self._lanes.setdefault(copy.priority, deque()).appendleft(copy)

    def pop(self) -> Copy | None:
        if not self._lanes:
            return None
        for priority in sorted(self._lanes) if len(self._lanes) > 1 else self._lanes:
            lane = self._lanes[priority]
            if lane:
                return lane.popleft()
        return None

    def sweep(self, now: float) -> list[Copy]:
        """Take out everything expired, wherever it stands: lanes may mix times-to-live."""
        gone: list[Copy] = []
        for lane in self._lanes.values():
            if any(copy.expired(now) for copy in lane):
                gone += [copy for copy in lane if copy.expired(now)]
                kept = [copy for copy in lane if not copy.expired(now)]
                lane.clear()
                lane.extend(kept)
        return gone


class Queues:
    """All endpoints, and the bound they share."""

    def __init__(self) -> None:
        self.by_endpoint: dict[str, EndpointQueue] = {}
        self.stored_bytes = 0
        self.stored_messages = 0

    def queue(self, endpoint: str) -> EndpointQueue:
        queue = self.by_endpoint.get(endpoint)
        if queue is None:
            queue = self.by_endpoint[endpoint] = EndpointQueue(endpoint)
        return queue

    def add(self, seq: int, size: int, targets: Iterable[CopyTarget]) -> None:
        targets = list(targets)
        held = StoredMessage(seq, size, len(targets))
        for target in targets:
            self.queue(target.endpoint).push(Copy(held, target.priority, target.expires_at))
        self.stored_bytes += size
        self.stored_messages += 1

    def release(self, copy: Copy) -> None:
        """One copy is done with; the last one frees the message."""
        copy.held.copies -= 1
        if not copy.held.copies:
            self.stored_bytes -= copy.held.size
            self.stored_messages -= 1
