"""How a consumer's time for a message depends on the items in it. No clock, no I/O.

A message costs a fixed part (the hub's delivery) and a part for each item (the consumer's work). Only the second says
how many items may be in flight: against the first, larger batches are the remedy and not the trouble. The two are told
apart by a running regression of time on items.
"""

from __future__ import annotations

from dataclasses import dataclass

_WEIGHT = 0.1  # of the newest message: the last ten or twenty count
_VARIES = 0.2  # variance of the number of items from which a slope means something


@dataclass(slots=True)
class Pace:
    """``observe`` each message that was processed."""

    _items: float = 0.0
    _took_s: float = 0.0
    _items_squared: float = 0.0
    _product: float = 0.0
    _slope_s: float = 0.0
    _begun: bool = False

    def observe(self, items: int, took_s: float) -> None:
        """``took_s`` since the message before it was processed, or since it was sent if that is later."""
        weight = _WEIGHT if self._begun else 1.0
        self._begun = True
        self._items += (items - self._items) * weight
        self._took_s += (took_s - self._took_s) * weight
        self._items_squared += (items * items - self._items_squared) * weight
        self._product += (items * took_s - self._product) * weight
        variance = self._items_squared - self._items * self._items
        if variance > _VARIES:
            self._slope_s = (self._product - self._items * self._took_s) / variance

    @property
    def item_s(self) -> float:
        """Seconds that one more item costs: never more than an item's share of a whole message, never below 0."""
        share_s = self._took_s / self._items if self._items else 0.0
        return max(0.0, min(self._slope_s, share_s))
