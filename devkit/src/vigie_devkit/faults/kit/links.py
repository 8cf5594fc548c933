"""A bad link between all modules and their hub: slow with loss, stalled without a word, and cut."""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.signs import LogLine
from vigie_devkit.faults.system import FaultError, Setup, System

LINK = Setup(name="bad-link", link=True)
_SLOW_BYTES_PER_S = 64_000 / 8


@makes_put
def link_is(
    system: System, *, bytes_per_s: float | None = None, loss: float = 0.0, stalled: bool = False, cut: bool = False
) -> Iterator[None]:
    """The link is so until the end."""
    link = system.link
    if link is None:
        raise FaultError("this system has no link that can be bad")
    link.bytes_per_s, link.loss, link.stalled, link.cut = bytes_per_s, loss, stalled, cut
    try:
        yield
    finally:
        link.behave()


def link_faults() -> list[Fault]:
    down = (LogLine("sync", "hub_disconnected"),)
    peers = "edgeHub closes a silent link after 1.5 keep-alives; the SDK alone is back 10 s after it noticed"
    return [
        Fault(name="link-slow", what="all modules share a link of 64 kbit/s with 5 % loss to the hub for 40 s",
              put=link_is(bytes_per_s=_SLOW_BYTES_PER_S, loss=0.05), hold_s=40.0, back_within_s=30.0, setup=LINK,
              peers=peers),
        Fault(name="link-stalls", what="nothing passes the link for 25 s, and nobody is told",
              put=link_is(stalled=True), hold_s=25.0, back_within_s=20.0,
              signs=(LogLine("sync", "hub_client_rebuilt"),), setup=LINK, peers=peers),
        Fault(name="link-cut", what="the link is cut for 15 s: connections are reset and refused",
              put=link_is(cut=True), hold_s=15.0, back_within_s=20.0, signs=down, setup=LINK, peers=peers),
    ]  # fmt: skip
