"""Takes events from sync and has every sink record them; only then does a message count as received."""

from __future__ import annotations

import threading

import msgspec

from vigie.drop_reason import DropReason
from vigie.errors import LedgerUnavailableError
from vigie.health import Watchdog
from vigie.log import OncePer, get_logger
from vigie.service import InputQueue, Received, Service
from vigie_actions.config import ActionsConfig
from vigie_actions.deliveries import Deliveries
from vigie_actions.event import EventHead

log = get_logger("actions.receive")

_POLL_S = 0.2
_RETRY_S = (0.1, 2.0)
_SHOWN_EVERY = 5


class ReceiveStage:
    """One worker thread. It waits for the first configuration: before it, nobody knows who wants an event."""

    def __init__(
        self, service: Service[ActionsConfig], events: InputQueue[msgspec.Raw], deliveries: Deliveries
    ) -> None:
        self._service, self._events, self._deliveries = service, events, deliveries
        self._configured = threading.Event()
        self._decoder = msgspec.json.Decoder(EventHead)
        self._quiet = OncePer()

    def configured(self) -> None:
        self._configured.set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("actions.receive", 30.0)
        while not stop.is_set() and not self._configured.wait(_POLL_S):
            alive.beat()
        looks = 0
        while not stop.is_set():
            alive.beat()
            received = self._events.get(_POLL_S)
            if received is not None and self._keep_trying(self._decoded(received), stop, alive):
                received.done()
            looks += 1
            if received is None or looks % _SHOWN_EVERY == 0:
                self._deliveries.show()

    def _decoded(self, received: Received[msgspec.Raw]) -> list[tuple[EventHead, bytes]]:
        events = []
        for item in received.items:
            body = bytes(item)
            try:
                events.append((self._decoder.decode(body), body))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                # Sync made it and holds it on disk: sent again it would be the same.
                log.error("event_refused", reason=str(error), body=body[:200].decode("utf-8", "replace"))  # noqa: TRY400 - the reason says it all
                self._service.metrics.dropped(DropReason.REFUSED, "")
        return events

    def _keep_trying(self, events: list[tuple[EventHead, bytes]], stop: threading.Event, alive: Watchdog) -> bool:
        """Whether they are recorded: by every sink that wants them."""
        pause_s, longest_s = _RETRY_S
        while True:
            alive.beat()
            try:
                self._deliveries.record(events)
            except LedgerUnavailableError as error:
                if (held := self._quiet.ready("ledger")) is not None:
                    log.warning("not_recorded", reason=str(error), more=held)
                self._service.health.not_ready("ledger", str(error))
            else:
                self._service.health.ready("ledger")
                return True
            if stop.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, longest_s)
