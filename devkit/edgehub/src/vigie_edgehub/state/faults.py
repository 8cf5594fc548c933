"""Misbehaviour on command: how long to wait and when to drop, from a seed."""

from __future__ import annotations

from random import Random

from vigie_edgehub.ports import Misbehaviour


class Faults:
    """The settings in force, and the dice. The same seed and the same traffic give the same faults."""

    def __init__(self) -> None:
        self.settings = Misbehaviour()
        self._random = Random(0)  # noqa: S311 - repeatable on purpose, nothing secret

    def set(self, settings: Misbehaviour) -> None:
        self.settings = settings
        self._random = Random(settings.seed)  # noqa: S311 - repeatable on purpose

    def delivery_delay_s(self) -> float:
        return self._varied(self.settings.delivery_delay_ms) / 1000

    def ack_delay_s(self) -> float:
        return self._varied(self.settings.ack_delay_ms) / 1000

    def drop_now(self) -> bool:
        share = self.settings.drop_probability
        return share > 0 and self._random.random() < share

    def _varied(self, delay_ms: float) -> float:
        if not delay_ms or not self.settings.jitter:
            return delay_ms
        return delay_ms * (1 + self.settings.jitter * (2 * self._random.random() - 1))
