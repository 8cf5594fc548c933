"""Connections that have not said who they are: how many there may be, per peer and in all, and who has to go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class WaitingRoom:
    """The oldest goes first: a module says CONNECT within milliseconds, so only the silent grow old.

    Refusing the newest instead would let a stranger who opens enough connections lock every module out.
    """

    def __init__(self, *, per_peer: int, in_all: int) -> None:
        self._per_peer = per_peer
        self._in_all = in_all
        self._peers: dict[str, OrderedDict[Hashable, None]] = {}
        self._everybody: OrderedDict[Hashable, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._everybody)

    def enter(self, guest: Hashable, peer: str) -> list[Hashable]:
        """Returns: who has to go for it, already forgotten here."""
        mine = self._peers.setdefault(peer, OrderedDict())
        gone: list[Hashable] = []
        if len(mine) >= self._per_peer:
            gone.append(next(iter(mine)))
            self.leave(gone[-1])
        if len(self._everybody) >= self._in_all:
            gone.append(next(iter(self._everybody)))
            self.leave(gone[-1])
        self._peers.setdefault(peer, OrderedDict())[guest] = None
        self._everybody[guest] = peer
        return gone

    def leave(self, guest: Hashable) -> None:
        """It said who it is, or it ended; leaving twice is nothing."""
        peer = self._everybody.pop(guest, None)
        if peer is None:
            return
        of_peer = self._peers[peer]
        del of_peer[guest]
        if not of_peer:
            del self._peers[peer]
