"""What the ledger dropped is told: metrics, log, reported properties."""

from __future__ import annotations

from collections import Counter

from vigie.errors import LedgerUnavailableError
from vigie.ledger.bounds import Drop, Dropped
from vigie.ledger.ledger_thread import LedgerThread
from vigie.log import get_logger
from vigie.service import Service
from vigie_sync.config import SyncConfig

log = get_logger("sync.drops")


class Drops:
    """Used from any thread: whoever gets counts from the ledger hands them over here."""

    def __init__(self, service: Service[SyncConfig], ledger: LedgerThread) -> None:
        self._service, self._ledger = service, ledger

    def tell(self, dropped: Counter[Dropped]) -> None:
        if not dropped:
            return
        reasons: Counter[str] = Counter()
        for one, count in dropped.items():
            reasons[one.reason.value] += count
            self._service.metrics.dropped(one.reason, one.camera, count)
        try:
            ever = self._ledger.backlog().dropped
        except LedgerUnavailableError:
            ever = {}  # told with the next drop
        log.warning("items_dropped", dropped=dict(reasons), dropped_total=sum(ever.values()))
        if ever:
            self._service.twin.report({"dropped": {reason.value: ever.get(reason.value) for reason in Drop}})
