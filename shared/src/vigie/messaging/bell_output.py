"""The doorbell side of one output: whom it may ring, and what is on its way there. With the outbox's lock held."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from vigie.contracts.lease import LeaseAnswer, LeasedKey, RouteLease
from vigie.frames.doorbell import SOCKET_NAME, Ringer, Rung, inode_of, socket_name
from vigie.log import OncePer, get_logger
from vigie.messaging.leases import Leases
from vigie.messaging.window import Window

log = get_logger(__name__)

# A larger message goes by the route: whether the kernel takes it as one datagram depends on its settings.
DATAGRAM_BODY_MAX = 150_000
# The first answer may be the quickest of several: the others get this long to answer too.
_ALONE_FIRST_S = 0.5
# Longer than the longest pause between leases.
_ALONE_AGAIN_S = 20.0


class ConsumerPosition(Protocol):
    """Where the consumer is: a cursor in the signals folder."""

    def position(self, boot: str) -> int | None:
        """Highest processed ``sent``; None: not known."""


class BellOutput:
    """Made once for an output, with the one consumer that it may ring: module and input of ``declared``.

    A doorbell reaches one consumer, a route may reach several. So nothing is rung while anybody else answers the
    leases of this output; the hub then gives each its messages, and stores them for who is slow.
    """

    def __init__(
        self,
        folder: Path,
        declared: tuple[str, str],
        window: Window,
        *,
        answers: str,
        grace_s: float,
        link_up: Callable[[], bool],
        progress: ConsumerPosition,
    ) -> None:
        """``progress``: the cursor of the doorbell lane."""
        self._folder, self._declared, self._answers = folder, declared, answers
        self._doorbell = socket_name("bell", *declared)
        self._link_up, self._progress = link_up, progress
        self.window = window
        self.leases = Leases(grace_s)
        self.nonce = secrets.token_hex(16)
        self.last_sent = 0
        self._ringer: Ringer | None = None
        self._alone_from: float | None = None
        self._encode = msgspec.json.Encoder().encode
        self._quiet = OncePer(10.0)
        self._shared = OncePer(60.0)

    @property
    def is_known(self) -> bool:
        """The consumer has answered, and its doorbell was there when it was last rung."""
        return self._ringer is not None

    def consumer_is_there(self) -> bool:
        """The declared consumer has a doorbell in this folder, so that leases are not sent to who knows none."""
        return inode_of(self._folder, self._doorbell) is not None

    def rings(self, key: str, now: float) -> bool:
        """Whether ``key`` goes by doorbell; otherwise it goes by the route."""
        if self._ringer is None or self._alone_from is None:
            return False
        return self.leases.is_open(key, now, link_up=self._link_up()) and now >= self._alone_from

    def position(self, boot: str) -> int:
        """What the consumer has processed of this lane."""
        return self._progress.position(boot) or 0

    def ring(self, body: bytes, *, wake: bool) -> Rung:
        """Ring with one message. GONE: nobody hears; the doorbell is closed."""
        if self._ringer is None:
            return Rung.GONE
        rung = self._ringer.ring(b"%b %d\n%b" % (self.nonce.encode(), wake, body))
        if rung is Rung.GONE:
            self.close()
        return rung

    def answered(self, answer: LeaseAnswer, uid: int, now: float) -> bool:
        """An answer to a lease of ours. True: the doorbell may be open that was not."""
        if (answer.consumer, answer.input) != self._declared:
            self._alone_from = now + _ALONE_AGAIN_S
            if (held := self._shared.ready("shared")) is not None:
                log.warning("output_shared", consumer=answer.consumer, input=answer.input, more=held)
            return False
        if answer.away:
            if self._ringer is not None:
                self.leases.consumer_away(now)
            return False
        if SOCKET_NAME.fullmatch(answer.doorbell) is None or not self._reached(answer, uid, now):
            return False
        return self.leases.answered(answer.camera, answer.number, now)

    def _reached(self, answer: LeaseAnswer, uid: int, now: float) -> bool:
        if self._ringer is not None and self._ringer.inode == inode_of(self._folder, answer.doorbell):
            return True
        try:
            ringer = Ringer.connect(self._folder, answer.doorbell, uid)
        except OSError as error:
            if (held := self._quiet.ready("connect")) is not None:
                log.warning("doorbell_not_reached", consumer=answer.consumer, reason=str(error), more=held)
            return False
        if self._ringer is not None:
            self._ringer.close()
        self._ringer = ringer
        if self._alone_from is None:
            self._alone_from = now + _ALONE_FIRST_S
        log.info("doorbell_reached", consumer=answer.consumer, input=answer.input)
        return True

    def lease_body(self, schema: str, module: str, boot: str, key: str, number: int) -> bytes:
        """The message of lease ``number`` for ``key``."""
        return self._encode(
            RouteLease(
                schema, module, boot, 0, [LeasedKey(key)], self.nonce, number, self._answers, self.leases.grace_s
            )
        )

    def close(self) -> None:
        """The consumer has to answer anew."""
        if self._ringer is not None:
            self._ringer.close()
            self._ringer = None
            self.leases.gone()
            log.info("doorbell_gone", consumer=self._declared[0])
