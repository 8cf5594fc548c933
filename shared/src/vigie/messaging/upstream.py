"""Sending to ``$upstream``, one message at a time, each acknowledged before the next: what sync's ledger stands on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from vigie.errors import HubUnavailableError, MessageTooLargeError
from vigie.messaging.calls import CALL_DEADLINE_S, CallThread
from vigie.messaging.session import Session
from vigie.messaging.size import body_limit_bytes
from vigie.metrics import Metrics


class UpstreamOutput:
    """A blocking ``send``; returning means that the hub has stored the message (PUBACK). Used from one thread."""

    def __init__(self, name: str, metrics: Metrics) -> None:
        """``name`` is the output in the manifest's route."""
        self.name = name
        self._metrics = metrics
        self._condition = threading.Condition()
        self._session: Session | None = None
        self._calls = CallThread(f"output.{name}")

    def attach(self, session: Session) -> None:
        with self._condition:
            self._session = session
            self._condition.notify_all()

    def detach(self, session: Session) -> None:
        with self._condition:
            if self._session is session:
                self._session = None

    def limit_bytes(self, properties: Mapping[str, str], message_id: str) -> int:
        """The largest body that may travel with these properties."""
        return body_limit_bytes(self.name, properties, message_id)

    def send(self, body: bytes, properties: Mapping[str, str], message_id: str, deadline_s: float) -> None:
        """Send and return when the hub has acknowledged.

        Raises: TransientError: not acknowledged within ``deadline_s``; it may have arrived all the same, so send it
            again under the same ``message_id``. PermanentError: too large for the hub.
        """
        limit = self.limit_bytes(properties, message_id)
        if len(body) > limit:
            raise MessageTooLargeError(self.name, len(body), limit)
        deadline = time.monotonic() + deadline_s
        session = self._wait_for_session(deadline)

        def send() -> None:
            session.send(self.name, body, properties, message_id)

        left_s = min(CALL_DEADLINE_S, max(0.05, deadline - time.monotonic()))
        self._calls.call(f"send to output {self.name}", send, left_s)
        self._metrics.sent(self.name)

    def _wait_for_session(self, deadline: float) -> Session:
        with self._condition:
            while True:
                session = self._session
                if session is not None and session.usable:
                    return session
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise HubUnavailableError(f"output '{self.name}': not connected to the hub")
                self._condition.wait(min(left_s, 0.1))
