"""Says which consumer of this module makes no progress: a neighbour that hangs is invisible from its own side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from vigie.health import Health
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.metrics import Metrics
from vigie.plurals import counted

log = get_logger(__name__)

EVERY_S = 2.0
# Above the slowest honest step of a neighbour: a model that is loaded, a start.
TOLD_AFTER_S = 15.0


class Consumers:
    """``watch`` is a task for the life of the service."""

    def __init__(
        self,
        outputs: Mapping[tuple[str, str], Output[Any]],
        metrics: Metrics,
        health: Health,
        told_after_s: float = TOLD_AFTER_S,
    ) -> None:
        """``outputs``: by consumer (module, input); read anew at each look."""
        self._told_after_s = told_after_s
        self._outputs, self._health = outputs, health
        self._waiting = metrics.without_progress
        self._told: set[tuple[str, str]] = set()

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Once: metric, log and a note in /readyz."""
        for consumer, output in self._outputs.items():
            name = "/".join(consumer)
            waited_s = output.without_progress_s()
            self._waiting.labels(output.name, name).set(round(waited_s, 1))
            if waited_s < self._told_after_s:
                if consumer in self._told:
                    self._told.discard(consumer)
                    self._health.note(f"consumer.{name}", "")
                    log.info("consumer_progresses_again", output=output.name, consumer=name)
                continue
            waiting = counted(output.outstanding, "item")
            text = f"{name} has processed nothing for {waited_s:.0f} s, {waiting} waiting for it"
            self._health.note(f"consumer.{name}", text)
            if consumer not in self._told:
                self._told.add(consumer)
                log.warning("consumer_makes_no_progress", output=output.name, consumer=name, reason=text)
