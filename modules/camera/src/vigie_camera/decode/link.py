"""One end of the connection between module and decoder: whole messages, file descriptors, a time-out."""

from __future__ import annotations

import os
import select
import socket
from typing import Any, Generic, TypeVar

import msgspec

Sent = TypeVar("Sent")
Received = TypeVar("Received")

_MESSAGE_BYTES = 65_536


class LinkClosedError(Exception):
    """The other end is gone."""


class Channel(Generic[Sent, Received]):
    """Over a connected SOCK_SEQPACKET socket, which it owns. Used from one thread."""

    def __init__(self, end: socket.socket, received: Any) -> None:
        """``received``: the union of what the other end may send."""
        # Python 3.11's recv_fds and send_fds drop their flags, so the socket itself must not block.
        end.setblocking(False)
        self._socket = end
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Received] = msgspec.msgpack.Decoder(received)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Sent, fd: int | None = None) -> None:
        """Raises: LinkClosedError."""
        raw = self._encoder.encode(message)
        try:
            while True:
                try:
                    if fd is None:
                        self._socket.send(raw)
                    else:
                        socket.send_fds(self._socket, [raw], [fd])
                except BlockingIOError:
                    poll = select.poll()
                    poll.register(self._socket, select.POLLOUT)
                    poll.poll()
                else:
                    return
        except OSError as error:
            raise LinkClosedError(str(error)) from None

    def receive(self, timeout_s: float | None, wake_fd: int | None = None) -> tuple[Received, int | None] | None:
        """The next message and the descriptor that came with it (now the caller's). None: not in time, or ``wake_fd``
        became readable first.

        Raises: LinkClosedError.
        """
        if timeout_s != 0.0 or wake_fd is not None:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if wake_fd is not None:
                poll.register(wake_fd, select.POLLIN)
            ready = poll.poll(None if timeout_s is None else timeout_s * 1000)
            if not any(fd == self._socket.fileno() for fd, _ in ready):
                return None
        try:
            raw, fds, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 1)
        except BlockingIOError:
            return None
        except OSError as error:
            raise LinkClosedError(str(error)) from None
        if not raw:
            raise LinkClosedError("closed")
        try:
            return self._decoder.decode(raw), (fds[0] if fds else None)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            for fd in fds:
                os.close(fd)
            raise LinkClosedError(f"not a message: {error}") from None

    def close(self) -> None:
        self._socket.close()
