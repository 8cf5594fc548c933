"""A clock that jumps, for all processes at once: libfaketime reads the offset from a file while they run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.kit.hubs import clock_file, cloud_away_and_killed
from vigie_devkit.faults.signs import LogLine
from vigie_devkit.faults.system import Setup, System

_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)
CLOCK = Setup(
    name="clock",
    environment=(
        ("LD_PRELOAD", next((one for one in _LIBRARIES if Path(one).exists()), "")),
        ("FAKETIME_TIMESTAMP_FILE", "{home}/clock"),
        ("FAKETIME_NO_CACHE", "1"),
        # A monotonic clock does not jump on any machine; only the one that people set does.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ),
)
_PEERS = "edgeHub and SDK: SAS tokens and certificates are refused until the clock is right; nothing says why"


def available() -> bool:
    """Whether libfaketime is installed."""
    return bool(dict(CLOCK.environment)["LD_PRELOAD"])


@makes_put
def jumping(system: System, offset: str, *, kill: str = "") -> Iterator[None]:
    """The clock is ``offset`` away (libfaketime's notation) until the end."""
    clock = clock_file(system)
    clock.write_text(f"{offset}\n", encoding="ascii")
    try:
        if kill:
            system.signal(kill, signal.SIGKILL)
        yield
    finally:
        clock.write_text("+0\n", encoding="ascii")


def clock_faults() -> list[Fault]:
    if not available():
        return []
    return [
        Fault(name="clock-ahead", what="the clock jumps 30 days ahead for 10 s", put=jumping("+30d"), hold_s=10.0,
              back_within_s=30.0, setup=CLOCK, peers=_PEERS),
        Fault(name="clock-back", what="the clock jumps 30 days back for 10 s", put=jumping("-30d"), hold_s=10.0,
              back_within_s=30.0, setup=CLOCK, peers=_PEERS),
        Fault(name="clock-back-hub-killed", what="the clock is 30 days back while the hub is started anew",
              put=jumping("-30d", kill="hub"), hold_s=12.0, back_within_s=40.0, setup=CLOCK, peers=_PEERS),
        Fault(name="sas-expired", what="the hub starts anew 2 h later by the clock: every module's token has expired",
              put=jumping("+2h", kill="hub"), hold_s=12.0, back_within_s=40.0, setup=CLOCK,
              signs=(LogLine("sync", "hub_disconnected"),), peers=_PEERS),
        Fault(name="upstream-cut-1h", what="the cloud is away for 1 h by the clock, and the hub is killed meanwhile",
              put=cloud_away_and_killed(8.0, clock="+1h"), hold_s=20.0, back_within_s=40.0, setup=CLOCK,
              peers="edgeHub stores for its time-to-live (2 h by default) and sends in order when the cloud is back"),
    ]  # fmt: skip
