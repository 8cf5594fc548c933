"""The doorbell of one input: answers leases, takes claims that a lease stands behind, waits for both ways at once."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from vigie.contracts.lease import LeaseAnswer, RouteLease
from vigie.frames.doorbell import SOCKET_NAME, SignalSocket, socket_name
from vigie.log import OncePer, get_logger
from vigie.messaging.grants import Grants
from vigie.messaging.reorder import Lane
from vigie.messaging.session import RawMessage

log = get_logger(__name__)

LEASE = "lease"
_NO_PROPERTIES: dict[str, str] = {}
_HEAD_MOST = 64
_AWAY_LOOK_S = 0.25


class BellInput:
    """``wait`` and ``take`` belong to the input's one worker thread; the rest may be called from any."""

    def __init__(
        self,
        folder: Path,
        module_id: str,
        input_name: str,
        *,
        link_up: Callable[[], bool],
        rejected: Callable[[], None],
    ) -> None:
        """Nothing is bound before ``open``."""
        self._folder, self._module_id, self._input = folder, module_id, input_name
        self._link_up, self._rejected = link_up, rejected
        self._grants = Grants()
        self._lock = threading.RLock()
        self._closed = False
        self._socket: SignalSocket | None = None
        self._poll = select.poll()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._woken, select.POLLIN)
        self._next_away = 0.0
        self._decode = msgspec.json.Decoder(RouteLease).decode
        self._encode = msgspec.json.Encoder().encode
        self._quiet = OncePer(60.0)

    def open(self) -> None:
        """Show senders that there is a doorbell. What fails is tried again when a lease comes."""
        with self._lock:
            self._opened()

    def lease(self, message: RawMessage) -> None:
        """A lease came by the route: answer it. Without a doorbell nothing is answered, and the route goes on."""
        try:
            lease = self._decode(message.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._rejected()
            return
        if SOCKET_NAME.fullmatch(lease.answers) is None or len(lease.items) != 1:
            self._rejected()
            return
        with self._lock:
            if (bell := self._opened()) is None:
                return
            self._grants.leased(lease, time.monotonic())
            answer = LeaseAnswer(
                lease.nonce, lease.items[0].camera, lease.number, self._module_id, self._input, bell.name
            )
            # Not there: the sender does not share this folder, so the route goes on carrying everything.
            bell.tell(lease.answers, self._encode(answer))

    def wake(self) -> None:
        """A message came by the route: end ``wait``."""
        with self._lock:
            if not self._closed:  # its number may be another file's by now
                os.eventfd_write(self._woken, 1)

    def wait(self, timeout_s: float) -> None:
        """Until something may have come on either way."""
        if not self._link_up():
            self._tell_away()
            timeout_s = min(timeout_s, _AWAY_LOOK_S)
        for descriptor, _ in self._poll.poll(max(0.0, timeout_s * 1e3)):
            if descriptor == self._woken:
                os.eventfd_read(self._woken)

    def take(self) -> RawMessage | None:
        """The next claim by doorbell that a lease stands behind."""
        bell = self._socket
        while bell is not None and (datagram := bell.receive()) is not None:
            end = datagram.find(b"\n", 0, _HEAD_MOST)
            nonce, _, wake = datagram[: max(end, 0)].decode("ascii", "replace").partition(" ")
            now_ns = time.monotonic_ns()
            grant = self._grants.admits(nonce, now_ns / 1e9)
            if grant is None:
                self._rejected()
                if (held := self._quiet.ready("nonce")) is not None:
                    log.warning("claim_without_lease", input=self._input, more=held)
                continue
            return RawMessage(
                self._input, datagram[end + 1 :], _NO_PROPERTIES, now_ns, Lane.DOORBELL,
                grant.answers if wake == "1" else "",
            )  # fmt: skip
        return None

    def wake_sender(self, answers: str) -> None:
        """Tell a sender that waits for us that the cursor has moved."""
        if (bell := self._socket) is not None:
            bell.tell(answers, b"")

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            if not self._closed:
                self._closed = True
                os.close(self._woken)

    def _opened(self) -> SignalSocket | None:
        if self._socket is not None and not self._socket.in_place:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None
        if self._socket is None:
            name = socket_name("bell", self._module_id, self._input)
            try:
                self._socket = SignalSocket(self._folder, name)
            except OSError as error:
                if self._quiet.ready("bind") is not None:
                    log.warning("doorbell_not_opened", input=self._input, folder=str(self._folder), reason=str(error))
                return None
            self._poll.register(self._socket, select.POLLIN)
            log.info("doorbell_opened", input=self._input)
            self.wake()
        return self._socket

    def _tell_away(self) -> None:
        now = time.monotonic()
        if now < self._next_away or (bell := self._socket) is None:
            return
        self._next_away = now + _AWAY_LOOK_S
        with self._lock:
            for answers, answer in self._grants.to_tell_away(now):
                told = msgspec.structs.replace(answer, consumer=self._module_id, input=self._input, doorbell=bell.name)
                bell.tell(answers, self._encode(told))
