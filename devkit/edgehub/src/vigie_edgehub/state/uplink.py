"""From the queue of `$upstream` to the sink: in batches, one at a time, again after a failure."""

from __future__ import annotations

from vigie_edgehub.message import UPSTREAM
from vigie_edgehub.state.effects import Effect, SendUpstream, Settle
from vigie_edgehub.state.faults import Faults
from vigie_edgehub.state.queues import Copy, Queues
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers


class Uplink:
    """The cloud, as the queues see it: online or not, slow or not."""

    def __init__(
        self, queues: Queues, timers: Timers, faults: Faults, settings: HubSettings, out: list[Effect]
    ) -> None:
        self._queue = queues.queue(UPSTREAM)
        self._queues = queues
        self._timers = timers
        self._faults = faults
        self._settings = settings
        self._out = out
        self._batch: list[Copy] = []
        self._not_before = 0.0
        self._retry_s = settings.upstream_retry_s
        self._woken_at: float | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._batch)

    @property
    def busy(self) -> bool:
        """A batch is with the sink."""
        return bool(self._batch)

    def pump(self, now: float) -> None:
        if self._batch or not self._faults.settings.upstream_online:
            return
        if now < self._not_before:
            self._wake(self._not_before)
            return
        delay_s = self._faults.delivery_delay_s()
        limit = 1 if delay_s > 0 else self._settings.upstream_batch
        while len(self._batch) < limit and (copy := self._queue.pop()) is not None:
            if copy.expired(now):
                self._queue.expired += 1
                self._settle(copy)
            else:
                self._batch.append(copy)
        if self._batch:
            self._not_before = now + delay_s
            self._out.append(SendUpstream([copy.held.seq for copy in self._batch]))

    def stored(self, now: float, *, ok: bool) -> None:
        """The sink's answer to the last `SendUpstream`."""
        batch, self._batch = self._batch, []
        if ok:
            self._retry_s = self._settings.upstream_retry_s
            self._queue.delivered += len(batch)
            for copy in batch:
                self._settle(copy)
        else:
            self._queue.push_back_first(batch)
            self._not_before = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, self._settings.upstream_retry_max_s)
        self.pump(now)

    def _wake(self, when: float) -> None:
        if self._woken_at is None or self._woken_at > when:
            self._woken_at = when
            self._timers.at(when, self._woken)

    def _woken(self, now: float) -> None:
        self._woken_at = None
        self.pump(now)

    def _settle(self, copy: Copy) -> None:
        self._queues.release(copy)
        self._out.append(Settle(copy.held.seq, UPSTREAM))
