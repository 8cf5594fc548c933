"""Sending to ``$upstream``, one message at a time, each acknowledged before the next: what sync's ledger stands on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from vigie.contracts.envelope import CONTENT_ENCODING
from vigie.errors import HubUnavailableError, MessageTooLargeError
from vigie.messaging.calls import CALL_DEADLINE_S, CallThread
from vigie.messaging.session import Session
from vigie.messaging.size import body_limit_bytes
from vigie.metrics import Metrics

# The link looks every quarter of a second and gives a shutdown one: it ends a hung send before its thread is given up.
_LINK_FIRST_S = 1.5


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

    def send(
        self, body: bytes, properties: Mapping[str, str], message_id: str, deadline_s: float | None = None,
        encoding: str = CONTENT_ENCODING,
    ) -> None:  # fmt: skip
        """Send and return when the hub has acknowledged. ``encoding``: of ``body``.

        Raises: TransientError: not acknowledged within ``deadline_s`` (None: as long as the link's own pace asks for,
            4 to 60 s, see ``messaging.patience``); it may have arrived all the same, so send it
            again under the same ``message_id``. PermanentError: too large for the hub.
        """
        limit = self.limit_bytes(properties, message_id)
        if len(body) > limit:
            raise MessageTooLargeError(self.name, len(body), limit)
        begun = time.monotonic()
        session = self._wait_for_session(begun + (CALL_DEADLINE_S if deadline_s is None else deadline_s))

        def send() -> None:
            session.send(self.name, body, properties, message_id, encoding)

        left_s = session.limit_s(self.name) + _LINK_FIRST_S
        if deadline_s is not None:
            left_s = min(left_s, max(0.05, begun + deadline_s - time.monotonic()))
        self._calls.call(f"send to output {self.name}", send, left_s)
        self._metrics.sent.labels(self.name).inc()

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
