"""What waits to be sent: per key in order, keys by their weights, the newest of a key wins unless it must be kept.

No I/O. Keys of equal weight take turns. Source of the rule for others: stride scheduling (Waldspurger and Weihl, 1995).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class PendingItem(Generic[T]):
    """One item with its key (the camera, usually); ``encoded`` once it had to be measured."""

    item: T
    key: str
    keep: bool
    encoded: bytes = b""


class Pending(Generic[T]):
    """A queue of queues. Not thread-safe: the outbox's lock guards it."""

    # Keys whose turns are remembered while nothing of them waits; more is a sender that makes keys up.
    KEYS_MAX = 256

    def __init__(self, depth: int = 1) -> None:
        """``depth``: items without ``keep`` that may wait per key."""
        self._depth = depth
        self._by_key: OrderedDict[str, deque[PendingItem[T]]] = OrderedDict()
        self._count = 0
        # When a key's next turn is, on a clock that goes on by 1 / weight with each of its items.
        self._turn: dict[str, float] = {}
        self._stride: dict[str, float] = {}
        self._now = 0.0

    def __len__(self) -> int:
        return self._count

    def waiting(self, key: str) -> int:
        """How many items of ``key`` wait."""
        return len(self._by_key.get(key, ()))

    def offer(self, item: T, key: str, *, keep: bool, weight: float = 1.0) -> PendingItem[T] | None:
        """Add ``item``. Returns the older one of the same key that had to go for it, if any.

        ``weight``: this key's share beside the others' while not all can be sent; above 0.
        """
        if weight != 1.0 or key in self._stride:
            self._weigh(key, weight)
        queue = self._by_key.get(key)
        if queue is None:
            queue = self._by_key[key] = deque()
            if self._stride:
                # Nobody saves up more than one turn while nothing of theirs waits.
                self._turn[key] = max(self._turn.get(key, 0.0), self._now - self._stride.get(key, 1.0))
        dropped = None
        if not keep and sum(not waiting.keep for waiting in queue) >= self._depth:
            dropped = next(waiting for waiting in queue if not waiting.keep)
            queue.remove(dropped)
            self._count -= 1
        queue.append(PendingItem(item, key, keep))
        self._count += 1
        return dropped

    def take(
        self,
        limit_bytes: int,
        encode: Callable[[T], bytes],
        most_newest: int | None = None,
        accept: Callable[[str], bool] | None = None,
    ) -> tuple[list[PendingItem[T]], list[PendingItem[T]]]:
        """What goes into the next message: one of each key in turn until all are in or ``limit_bytes`` is reached.

        Where keys have weights, whose turn is next goes first.
        Commas between items are counted. The second list holds items that alone are above the limit; they are gone.
        Items without ``keep`` stay once ``most_newest`` items are in; their keys are the first next time. ``accept``:
        keys for which it is false stay as they are.
        """
        taken: list[PendingItem[T]] = []
        too_large: list[PendingItem[T]] = []
        size = 0
        judged: dict[str, bool] = {}
        while self._count:
            key = self._next_key(accept, judged)
            if key is None:
                break
            queue = self._by_key[key]
            waiting = queue[0]
            if most_newest is not None and len(taken) >= most_newest and not waiting.keep:
                break
            if not waiting.encoded:
                waiting.encoded = encode(waiting.item)
            length = len(waiting.encoded) + 1
            if length > limit_bytes:
                too_large.append(waiting)
            elif size + length > limit_bytes:
                break
            else:
                taken.append(waiting)
                size += length
            queue.popleft()
            self._count -= 1
            if self._stride:
                turn = self._turn.get(key, self._now)
                self._now = max(self._now, turn)
                self._turn[key] = turn + self._stride.get(key, 1.0)
            if queue:
                self._by_key.move_to_end(key)
            else:
                del self._by_key[key]
        return taken, too_large

    def waiting_keys(self) -> list[str]:
        """Keys of which something waits."""
        return list(self._by_key)

    def _weigh(self, key: str, weight: float) -> None:
        if weight == 1.0:
            self._stride.pop(key, None)
        else:
            self._stride[key] = 1.0 / weight
        if not self._stride:
            self._turn.clear()
        elif len(self._turn) > self.KEYS_MAX:
            self._turn = {one: turn for one, turn in self._turn.items() if one in self._by_key}

    def _next_key(self, accept: Callable[[str], bool] | None, judged: dict[str, bool]) -> str | None:
        keys = sorted(self._by_key, key=lambda key: self._turn.get(key, 0.0)) if self._stride else self._by_key
        for key in keys:
            if accept is None:
                return key
            if key not in judged:
                judged[key] = accept(key)
            if judged[key]:
                return key
        return None
