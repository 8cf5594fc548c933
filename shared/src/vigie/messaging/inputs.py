"""One input of a module: from the client's unordered pool of threads to one worker thread, in order and bounded."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from vigie.config.schema import explain
from vigie.contracts.envelope import Envelope, EnvelopeHead, Schema, check_schema
from vigie.drop_reason import DropReason
from vigie.errors import MessageRefusedError
from vigie.log import OncePer, get_logger
from vigie.messaging.bell_input import LEASE, BellInput
from vigie.messaging.camera_order import CameraOrder
from vigie.messaging.reorder import Lane, Reorder
from vigie.messaging.session import RawMessage
from vigie.metrics import Metrics

log = get_logger(__name__)

T = TypeVar("T")

# Threads of the client's pool overtake each other by a few milliseconds, more on a busy two-core device.
REORDER_WAIT_S = 0.03
# What a cursor's word can hold.
SENT_MAX = (1 << 48) - 1
_SENDER_ID = re.compile(r"[A-Za-z0-9_.:%-]{1,128}")
_BOOT = re.compile(r"[0-9a-f]{1,16}")

_head_decoder = msgspec.json.Decoder(EnvelopeHead)


class Acknowledge(Protocol):
    """Tells senders how far this input has come: cursor or credit."""

    def processed(
        self, sender: str, boot: str, sent: int, *, credit_wanted: bool, lane: Lane = Lane.ROUTE, wake: str = ""
    ) -> None: ...


@dataclass(slots=True)
class Received(Generic[T]):
    """One message in order. ``received_ns`` is CLOCK_MONOTONIC when the client had it."""

    envelope: Envelope[T]
    received_ns: int
    credit_wanted: bool
    _acknowledge: Acknowledge
    lane: Lane = Lane.ROUTE
    wake: str = ""

    @property
    def items(self) -> list[T]:
        return self.envelope.items

    def done(self) -> None:
        """Say that every item is processed; the sender's window counts this, not the hub's acknowledgement."""
        envelope = self.envelope
        self._acknowledge.processed(
            envelope.module,
            envelope.boot,
            envelope.sent,
            credit_wanted=self.credit_wanted,
            lane=self.lane,
            wake=self.wake,
        )


class InputQueue(Generic[T]):
    """``get`` from one worker thread. Full: the oldest message goes, counted; windows keep it from filling."""

    def __init__(
        self,
        name: str,
        item_type: type[T],
        schema: Schema,
        *,
        capacity: int,
        acknowledge: Acknowledge,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        bell: BellInput | None = None,
        order_of: Callable[[T], str | None] | None = None,
    ) -> None:
        """``schema``: what is read, in this version and the one before it. ``bell``: claims also come by doorbell.

        ``order_of``: what of a sender comes in one order (a camera, usually); what comes too late for it is dropped.
        None: it is passed on whenever it comes.
        """
        self.name = name
        self._schema = schema
        self._wire_schema = str(schema)
        self._capacity = capacity
        self._acknowledge = acknowledge
        self._metrics = metrics
        self._clock = clock
        self._bell = bell
        envelope_type: Any = Envelope[item_type]  # type: ignore[valid-type] # msgspec resolves it at run time
        self._decoder: msgspec.json.Decoder[Envelope[T]] = msgspec.json.Decoder(envelope_type)
        self._condition = threading.Condition()
        self._raw: deque[RawMessage] = deque()
        self._order: Reorder[Received[T]] = Reorder(REORDER_WAIT_S)
        self._order_of = order_of
        self._cameras = CameraOrder()
        self._told = (0, 0)
        self._quiet = OncePer()

    def put(self, message: RawMessage) -> None:
        """From the client's threads: as short as it can be."""
        if LEASE in message.properties:
            if self._bell is not None:
                self._bell.lease(message)
            return
        with self._condition:
            full = len(self._raw) >= self._capacity
            if full:
                self._raw.popleft()
            self._raw.append(message)
            if self._bell is None:
                self._condition.notify()
        if self._bell is not None:
            self._bell.wake()
        if full:
            self._metrics.dropped(DropReason.INPUT_FULL, "")

    def get(self, timeout_s: float) -> Received[T] | None:
        """The next message in order of (boot, sent), or None after ``timeout_s``. Call ``done()`` on it."""
        deadline = self._clock() + timeout_s
        while True:
            with self._condition:
                raw = self._raw.popleft() if self._raw else None
            if raw is None and self._bell is not None:
                raw = self._bell.take()
            now = self._clock()
            if raw is not None:
                self._decode(raw, now)
            received = self._order.pop(now)
            self._count()
            if received is not None and self._in_order(received):
                self._metrics.received.labels(self.name).inc()
                return received
            if raw is not None or received is not None:
                continue
            if now >= deadline:
                return None
            due = self._order.due()
            until = deadline if due is None else min(deadline, due)
            if self._bell is not None:
                self._bell.wait(until - now)
                continue
            with self._condition:
                if not self._raw:
                    self._condition.wait(max(0.0, until - now))

    def _decode(self, raw: RawMessage, now: float) -> None:
        credit_wanted = raw.properties.get("credit") == "1"
        try:
            try:
                envelope = self._decoder.decode(raw.body)
            except msgspec.ValidationError as error:
                # A newer schema is refused by its version, not by the shape of its items.
                check_schema(_head_decoder.decode(raw.body).schema, self._schema)
                path, reason = explain(error)
                raise MessageRefusedError(path, reason) from error
            if envelope.schema != self._wire_schema:
                check_schema(envelope.schema, self._schema)
            _check_sender(envelope)
        except MessageRefusedError as error:
            self._reject(raw, error.subject, error.reason, credit_wanted=credit_wanted)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._reject(raw, "$", str(error), credit_wanted=credit_wanted)
        else:
            received = Received(envelope, raw.received_ns, credit_wanted, self._acknowledge, raw.lane, raw.wake)
            is_new = self._order.push(
                (envelope.module, envelope.boot), envelope.sent, received, now, after=envelope.after, lane=raw.lane
            )
            if not is_new and credit_wanted:
                self._acknowledge.processed(envelope.module, envelope.boot, 0, credit_wanted=True)

    def _in_order(self, received: Received[T]) -> bool:
        """Take out what comes too late; False: nothing is left, and the sender has been told."""
        if self._order_of is None:
            return True
        envelope = received.envelope
        stream, kept = (envelope.module, envelope.boot), []
        for item in envelope.items:
            camera = self._order_of(item)
            if camera is None or not self._cameras.comes_too_late(stream, camera, envelope.sent):
                kept.append(item)
        if len(kept) == len(envelope.items):
            return True
        self._metrics.duplicates.labels(self.name).inc()
        envelope.items[:] = kept
        if not kept:
            received.done()
        return bool(kept)

    def _reject(self, raw: RawMessage, where: str, reason: str, *, credit_wanted: bool) -> None:
        self._metrics.rejected.labels(self.name).inc()
        if (held := self._quiet.ready(where)) is not None:
            log.warning("message_rejected", input=self.name, path=where, reason=reason, more=held)
        # Whoever sent it waits for its number: dropped is processed too.
        try:
            head = _head_decoder.decode(raw.body)
            _check_sender(head)
        except (msgspec.MsgspecError, MessageRefusedError, UnicodeDecodeError):
            return
        self._acknowledge.processed(head.module, head.boot, head.sent, credit_wanted=credit_wanted, lane=raw.lane)

    def _count(self) -> None:
        lost, duplicates = self._order.lost, self._order.duplicates
        if (lost, duplicates) == self._told:
            return
        if lost > self._told[0]:
            self._metrics.lost.labels(self.name).inc(lost - self._told[0])
        for _ in range(duplicates - self._told[1]):
            self._metrics.duplicates.labels(self.name).inc()
        self._told = (lost, duplicates)


def _check_sender(envelope: Envelope[Any] | EnvelopeHead) -> None:
    # Both become part of a file's name.
    if _SENDER_ID.fullmatch(envelope.module) is None or envelope.module.startswith("."):
        raise MessageRefusedError("$.module", "expected a module id of IoT Edge")
    if _BOOT.fullmatch(envelope.boot) is None:
        raise MessageRefusedError("$.boot", "expected up to 16 hex digits")
    if not 1 <= envelope.sent <= SENT_MAX:
        raise MessageRefusedError("$.sent", f"expected a number from 1 to {SENT_MAX}")
