"""Gives every event to a module of this device, and keeps it on disk until that module says that it has it on its own.

Apart from what goes upstream: a cap, a budget or quiet hours towards the cloud must not hold up a siren. The receiver's
cursor counts, not the hub's acknowledgement: the hub's client acknowledges what the receiver has not yet recorded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vigie.contracts import names
from vigie.drop_reason import DropReason
from vigie.errors import PermanentError, TransientError
from vigie.ledger.batch import Batch
from vigie.ledger.erasure import Erased, Erasure
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry
from vigie.log import OncePer, get_logger
from vigie.messaging.progress import open_progress
from vigie.messaging.upstream import UpstreamOutput
from vigie.service import Service
from vigie_sync.config import SyncConfig
from vigie_sync.properties import ROOM, properties_of

log = get_logger("sync.handover")

RECEIVERS_VARIABLE = "VIGIE_EVENT_RECEIVERS"
# By module: the output that its route takes, and its input.
OUTPUTS = {names.ACTIONS: (names.EVENTS, names.EVENTS)}
_AWAY = {names.ACTIONS: DropReason.ACTIONS_AWAY}
# Beside what waits for the cloud; at 500 bytes an event some 60,000 of them.
_LIMIT_BYTES = 32 << 20
_BATCH_ITEMS = 100
_MOVES_S = 120.0
_WAIT_S = 0.5
_RETRY_S = 1.0
# How often the receiver's cursor is looked at while it has a message, and when the message is sent again.
_LOOK_S = (0.002, 0.1)
_AGAIN_S = 10.0
_SILENT = 3


def receivers_of(environ: Mapping[str, str]) -> list[str]:
    """Modules that the manifest says get events: those of `VIGIE_EVENT_RECEIVERS` that are known."""
    asked = environ.get(RECEIVERS_VARIABLE, "").replace(",", " ").split()
    for name in asked:
        if name not in OUTPUTS:
            log.warning("receiver_unknown", receiver=name, known=sorted(OUTPUTS))
    return [name for name in asked if name in OUTPUTS]


class Handover:
    """To one receiver. ``record`` may be called from any thread until ``close``; ``run`` is the body of its own."""

    def __init__(
        self,
        service: Service[SyncConfig],
        receiver: str,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet. ``folder`` of its ledger."""
        output, input_name = OUTPUTS[receiver]
        env = service.env
        self.receiver, self._away = receiver, _AWAY[receiver]
        self._service, self._clock = service, clock
        self._output: UpstreamOutput = service.output(output, None)
        self._progress = open_progress((env.signals,), env.module_id, (receiver, input_name))
        self._ledger = LedgerThread(folder, name=f"sync.{receiver}", seals=env.seals)
        self._source = f"/{env.device_id}/{env.module_id}"
        self._condition = threading.Condition()
        self._recorded = 0
        self._waits = True
        self._quiet = OncePer()

    def record(self, entries: list[LedgerEntry]) -> None:
        """On disk when it returns; what was recorded before is not recorded twice. Raises: LedgerUnavailableError."""
        recorded = self._ledger.record(entries, _LIMIT_BYTES)
        for one, count in recorded.dropped.items():
            self._service.metrics.dropped(self._away, one.camera, count)
        with self._condition:
            self._recorded += 1
            self._waits = True
            self._condition.notify_all()

    def erase(self, what: Erasure, *, set_aside: bool) -> Erased:
        """Of what the receiver has not confirmed. ``set_aside``: damaged ledgers go too.

        Raises: LedgerUnavailableError.
        """
        erased = self._ledger.erase(what)
        if set_aside:
            self._ledger.forget_set_aside()
        return erased

    def set_aside(self) -> list[str]:
        """Damaged ledgers that were kept."""
        return [f"for-{self.receiver}/{name}" for name in self._ledger.set_aside()]

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch(f"sync.{self.receiver}", _MOVES_S)
        while not stop.is_set():
            alive.beat()
            try:
                batch = self._next()
                if batch is not None and self._handed_over(batch, stop):
                    self._ledger.acknowledge(batch)
            except (TransientError, PermanentError) as error:
                if (held := self._quiet.ready(type(error).__name__)) is not None:
                    log.warning("handover_waits", receiver=self.receiver, reason=str(error), more=held)
                stop.wait(_RETRY_S)
        self._progress.close()

    def close(self) -> None:
        """After all who record have ended, and they end after ``run``: what goes on ends with the module."""
        self._ledger.close()

    def _next(self) -> Batch | None:
        """The oldest batch; waits a moment where nothing is there."""
        with self._condition:
            if not self._waits:
                self._condition.wait_for(lambda: self._waits, _WAIT_S)
            recorded, waits = self._recorded, self._waits
        if not waits:
            return None
        if not self._service.hub.connected:
            with self._condition:
                self._condition.wait(_WAIT_S)
            return None
        batch = self._ledger.next_batch(self._service.env.module_id, _BATCH_ITEMS, self._body_limit)
        if batch is None:
            self._ledger.settle()
            with self._condition:
                self._waits = self._recorded != recorded
        return batch

    def _handed_over(self, batch: Batch, stop: threading.Event) -> bool:
        """Send ``batch``, again from time to time, until the receiver's cursor is there. False: stopped before."""
        sent = 0
        while not stop.is_set():
            properties = properties_of(batch.body, batch.message_id, self._source)
            # Asked again, a receiver that has it says so.
            self._output.send(batch.body, properties | ({"credit": "1"} if sent else {}), batch.message_id)
            sent += 1
            again_at, look_s = self._clock() + _AGAIN_S, _LOOK_S[0]
            while self._clock() < again_at:
                if (self._progress.position(batch.ledger) or 0) >= batch.sent:
                    self._service.health.note(self.receiver, "")
                    return True
                if stop.wait(look_s):
                    return False
                look_s = min(2 * look_s, _LOOK_S[1])
                self._service.health.beat(f"sync.{self.receiver}")
            if sent >= _SILENT:
                self._service.health.note(
                    self.receiver,
                    f"events wait: module '{self.receiver}' has not confirmed any since {sent * _AGAIN_S:g} s",
                )
        return False

    def _body_limit(self, message_id: str) -> int:
        return self._output.limit_bytes(ROOM | {"source": self._source, "credit": "1"}, message_id)


def record_with(handovers: list[Handover], entries: list[LedgerEntry]) -> None:
    """Have every receiver's events recorded. Raises: LedgerUnavailableError: try all of them again."""
    if entries:
        for one in handovers:
            one.record(entries)
