"""All outputs of a process and the one thread per session that sends for them.

One thread: the hub acknowledges in well under a millisecond, and messages leave in the order they were built. A
thread that hangs in the client is left behind with its session; what it was sending is sent again by the next.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from vigie.drop_reason import DropReason
from vigie.errors import TransientError
from vigie.log import OncePer, get_logger
from vigie.messaging.output import Output
from vigie.messaging.session import Session
from vigie.messaging.window import Flight
from vigie.thread_names import show_thread_name

log = get_logger(__name__)

_AFTER_FAILURE_S = 0.1
_UNUSABLE_S = 0.05
_IDLE_S = 1.0


class SendQueue:
    """Owns the lock of all outputs. ``attach`` and ``detach`` are called by the link as sessions come and go."""

    def __init__(self) -> None:
        """Without a session nothing is sent and everything waits."""
        self._lock = threading.RLock()
        self.condition = threading.Condition(self._lock)
        self._outputs: list[Output[Any]] = []
        self._session: Session | None = None
        self._sending: tuple[Output[Any], Flight] | None = None
        self._quiet = OncePer()

    def room(self) -> threading.Condition:
        """Of the same lock, for those who wait for room in one output."""
        return threading.Condition(self._lock)

    def add(self, output: Output[Any]) -> None:
        with self.condition:
            self._outputs.append(output)

    def link_up(self) -> bool:
        """Whether the hub can be reached, as far as is known."""
        session = self._session
        return session is not None and session.usable

    def attach(self, session: Session) -> None:
        """Send over ``session`` from now on."""
        with self.condition:
            self._session = session
            self.condition.notify_all()
        threading.Thread(target=self._run, args=(session,), name="outbox", daemon=True).start()

    def detach(self, session: Session) -> None:
        """``session`` is dead; what it did not acknowledge goes first over the next one."""
        with self.condition:
            if self._session is not session:
                return
            self._session = None
            if self._sending is not None:
                output, flight = self._sending
                self._sending = None
                output.finished(flight, time.monotonic(), acknowledged=False)
            self.condition.notify_all()

    def _run(self, session: Session) -> None:
        show_thread_name("outbox")
        while (job := self._next(session)) is not None:
            output, flight = job
            try:
                session.send(output.name, flight.body, flight.properties, None)
            except TransientError as error:
                if (held := self._quiet.ready("send_failed")) is not None:
                    log.info("send_failed", output=output.name, reason=str(error), more=held)
                self._done(session, output, flight, acknowledged=False)
                with self.condition:
                    self.condition.wait(_AFTER_FAILURE_S)
            except Exception as error:
                log.exception("message_refused_by_client", output=output.name, reason=str(error))
                self._refused(session, output, flight)
            else:
                self._done(session, output, flight, acknowledged=True)

    def _next(self, session: Session) -> tuple[Output[Any], Flight] | None:
        """Block for the next message; None: ``session`` is no longer ours."""
        with self.condition:
            while self._session is session:
                wait_s = _UNUSABLE_S
                if session.usable:
                    now = time.monotonic()
                    wait_s = _IDLE_S
                    for index, output in enumerate(self._outputs):
                        flight = output.next_flight(now)
                        if flight is not None:
                            # The one that sent goes to the end: a busy output does not starve a quiet one.
                            self._outputs.append(self._outputs.pop(index))
                            flight.carrier = session
                            self._sending = (output, flight)
                            return output, flight
                        due_s = output.due_s(now)
                        if due_s is not None:
                            output.overdue(now)
                            wait_s = min(wait_s, max(due_s, 0.0005))
                self.condition.wait(wait_s)
            return None

    def _done(self, session: Session, output: Output[Any], flight: Flight, *, acknowledged: bool) -> None:
        with self.condition:
            if flight.carrier is not session:
                return  # detached meanwhile: the flight waits for, or is with, another session
            self._sending = None
            output.finished(flight, time.monotonic(), acknowledged=acknowledged)

    def _refused(self, session: Session, output: Output[Any], flight: Flight) -> None:
        with self.condition:
            if flight.carrier is session:
                self._sending = None
                output.give_up(flight, DropReason.REFUSED)
