"""The thread behind all doorbells of a process: hears answers and wake-ups, rings what had to wait for the window.

What need not wait is rung by the thread that offers it, without passing through here.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from vigie.contracts.lease import LeaseAnswer
from vigie.frames.doorbell import SignalSocket
from vigie.log import OncePer, get_logger
from vigie.messaging.output import Output
from vigie.messaging.send_queue import SendQueue
from vigie.thread_names import show_thread_name

log = get_logger(__name__)

_IDLE_S = 0.5
_REBIND_S = 1.0
_INVITED_S = 0.4


class Bells:
    """One for a process. ``start`` once its outputs are declared."""

    def __init__(self, folder: Path, name: str, outbox: SendQueue) -> None:
        """``name`` of the socket for answers, as the leases tell it."""
        self._folder, self.name, self._outbox = folder, name, outbox
        self._outputs: list[Output[Any]] = []
        self._stop = threading.Event()
        self._kicked = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
        self._decode = msgspec.json.Decoder(LeaseAnswer).decode
        self._quiet = OncePer(60.0)

    def add(self, output: Output[Any]) -> None:
        self._outputs.append(output)

    def start(self) -> None:
        if self._outputs:
            self._thread.start()

    def kick(self) -> None:
        """Something waits for the window of a doorbell."""
        with contextlib.suppress(OSError):
            os.eventfd_write(self._kicked, 1)

    def stop(self) -> None:
        self._stop.set()
        self.kick()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        show_thread_name("bells")
        while not self._stop.is_set():
            try:
                sock = SignalSocket(self._folder, self.name)
            except OSError as error:
                if self._quiet.ready("bind") is not None:
                    log.warning("no_doorbells", folder=str(self._folder), reason=str(error))
                self._stop.wait(_REBIND_S)
                continue
            try:
                self._hear(sock)
            finally:
                with self._outbox.condition:
                    for output in self._outputs:
                        output.hearing = False
                sock.close()

    def _hear(self, sock: SignalSocket) -> None:
        """Until stopped, or the socket's file has gone."""
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.register(self._kicked, select.POLLIN)
        look_at, invite_at = time.monotonic() + _REBIND_S, 0.0
        timeout_s = 0.0
        while not self._stop.is_set():
            for descriptor, _ in poll.poll(timeout_s * 1e3):
                if descriptor == self._kicked:
                    os.eventfd_read(self._kicked)
            now = time.monotonic()
            if now >= look_at:
                look_at = now + _REBIND_S
                if not sock.in_place:
                    return
            answers = []
            while (heard := sock.receive_from()) is not None:
                if heard[0]:  # nothing in it: somebody has moved a cursor
                    answers.append(heard)
            with self._outbox.condition:
                for data, uid in answers:
                    self._answer(data, uid, now)
                due = [output.ring_waiting(now) for output in self._outputs]
                if now >= invite_at:
                    invite_at = now + _INVITED_S
                    self._look_for_consumers()
            timeout_s = min((due_s for due_s in due if due_s is not None), default=_IDLE_S)

    def _look_for_consumers(self) -> None:
        """A route that ends at a foreign consumer, or at one of the version before, never sees a lease."""
        for output in self._outputs:
            there = output.bell is not None and output.bell.consumer_is_there()
            if there and not output.hearing:
                self._outbox.condition.notify_all()
            output.hearing = there

    def _answer(self, data: bytes, uid: int, now: float) -> None:
        try:
            answer = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        for output in self._outputs:
            if output.bell is not None and output.bell.nonce == answer.nonce and output.bell.answered(answer, uid, now):
                self._outbox.condition.notify_all()
