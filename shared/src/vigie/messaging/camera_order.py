"""A camera that changed lanes: what of it still comes by the former one, after newer came by the other, is too late.

A sender changes a camera's lane when nothing of it is on its way. What it gave up does not count, and may still lie in
the hub, or before a consumer that stands still. It is counted as dropped already; whoever follows objects or tells a
story in order must not see it after what is newer. No clock, no I/O.
"""

from __future__ import annotations

from collections import OrderedDict

from vigie.messaging.reorder import Stream

# Cameras of all senders and their starts; more is a sender that makes names up.
_CAMERAS_KEPT = 4096


class CameraOrder:
    """A sender numbers what it sends over both lanes, and each camera's items leave it in order."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._newest: OrderedDict[tuple[Stream, str], int] = OrderedDict()

    def comes_too_late(self, stream: Stream, camera: str, sent: int) -> bool:
        """Whether something of ``camera`` with a higher number than ``sent`` has come before."""
        key = (stream, camera)
        newest = self._newest.get(key)
        if newest is not None and sent < newest:
            return True
        if newest is None and len(self._newest) >= _CAMERAS_KEPT:
            self._newest.popitem(last=False)
        self._newest[key] = sent
        return False
