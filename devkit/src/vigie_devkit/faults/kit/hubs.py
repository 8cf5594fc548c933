"""A hub that drops, delays, restarts or has no cloud behind it: by its own misbehaviour on command."""

from __future__ import annotations

import base64
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vigie.errors import HubAnswerError, HubAwayError
from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.signs import LogLine, rises
from vigie_devkit.faults.system import System

_FLOOD = 300
_STORE = "edgeHub stores for its time-to-live (2 h by default) and sends in order when the cloud is back"
_MANAGER = "Stream Manager keeps until its size limit, then the oldest go or writes are refused"


@makes_put
def misbehaving(system: System, /, **settings: float | bool) -> Iterator[None]:
    """The hub misbehaves by ``settings`` until the end."""
    system.product.hub().misbehave(**settings)
    try:
        yield
    finally:
        behave(system)


def behave(system: System) -> None:
    """End all misbehaviour, as soon as the hub answers."""
    for _ in range(40):
        with suppress(HubAwayError, HubAnswerError):
            system.product.hub().behave()
            return
        time.sleep(0.25)


@makes_put
def cloud_away_and_killed(system: System, after_s: float, clock: str = "") -> Iterator[None]:
    """The cloud goes, and ``after_s`` later the hub is killed; it starts by ``clock`` (libfaketime's notation)."""
    system.product.hub().misbehave(upstream_online=False)
    time.sleep(after_s)
    if clock:
        clock_file(system).write_text(f"{clock}\n", encoding="ascii")
    system.signal("hub", signal.SIGKILL)
    try:
        _tell_that_cloud_is_away(system)
        yield
    finally:
        behave(system)


def clock_file(system: System) -> Path:
    """Where libfaketime reads the clock's offset from."""
    return system.run.home.parent / "clock"


def _tell_that_cloud_is_away(system: System) -> None:
    """Tell a hub that starts anew, and so knows nothing of its misbehaviour, as soon as it answers."""
    for _ in range(240):
        time.sleep(0.25)
        with suppress(HubAwayError, HubAnswerError):
            system.product.hub().misbehave(upstream_online=False)
            return


@contextmanager
def _all_dropped(system: System) -> Iterator[None]:
    system.product.hub().drop_connections(abrupt=True)
    yield


@contextmanager
def _dropped_again_and_again(system: System) -> Iterator[None]:
    for _ in range(8):
        system.product.hub().drop_connections(abrupt=True)
        time.sleep(0.7)
    yield


@contextmanager
def _listener_restarted(system: System) -> Iterator[None]:
    system.product.hub().restart_listener()
    yield


def hub_faults() -> list[Fault]:
    link_down = (LogLine("sync", "hub_disconnected"),)
    return [
        Fault(name="hub-drops", what="the hub cuts every connection, as a crash would", put=_all_dropped,
              back_within_s=20.0, signs=link_down, peers="SDK alone: back after 10.03 s"),
        Fault(name="hub-drops-8", what="the same 8 times in a row", put=_dropped_again_and_again, back_within_s=25.0,
              signs=link_down, peers="none"),
        Fault(name="hub-restarts", what="the hub drains, closes its port and opens it again", put=_listener_restarted,
              back_within_s=20.0, peers="edgeHub: clients connect again"),
        Fault(name="hub-loses-links", what="30 % of messages cost their sender its connection",
              put=misbehaving(drop_probability=0.3, seed=7), hold_s=12.0, back_within_s=20.0, signs=link_down,
              peers="none"),
        Fault(name="hub-slow", what="the hub delivers one message per 250 ms and input",
              put=misbehaving(delivery_delay_ms=250.0, jitter=0.3), hold_s=10.0, back_within_s=15.0,
              peers="edgeHub delivers in about 10 ms; a sender that waits for PUBACKs falls behind without a bound"),
        Fault(name="hub-slow-acks", what="the hub acknowledges after 6 s", put=misbehaving(ack_delay_ms=6000.0),
              hold_s=20.0, back_within_s=30.0, peers="SDK: waits without a bound"),
        Fault(name="upstream-cut-15s", what="the cloud is away for 15 s", put=misbehaving(upstream_online=False),
              hold_s=15.0, back_within_s=15.0, peers=f"{_STORE}; {_MANAGER}"),
        Fault(name="upstream-cut-2min", what="the cloud is away for 2 min", put=misbehaving(upstream_online=False),
              hold_s=120.0, back_within_s=30.0, peers=f"{_STORE}; {_MANAGER}"),
        Fault(name="upstream-cut-60s", what="the cloud is away for 60 s, and the hub is killed meanwhile",
              put=cloud_away_and_killed(10.0), hold_s=45.0, back_within_s=30.0, peers=f"{_STORE}; {_MANAGER}"),
        Fault(name="message-flood", what=f"{_FLOOD} messages of garbage into all inputs", put=_flooded,
              back_within_s=20.0, signs=(rises("sync", "vigie_messages_rejected_total"),), peers="none"),
    ]  # fmt: skip


@contextmanager
def _flooded(system: System) -> Iterator[None]:
    hub = system.product.hub()
    garbage = [b"", b"{", b"[]", b'{"schema":"vigie.frames/1","items":7}', b"\xff\xfe" * 500, b'{"items":[' * 300]
    inputs = (("preprocess", "frames"), ("inference", "tensors"), ("sync", "detections"))
    for number in range(_FLOOD):
        module, name = inputs[number % len(inputs)]
        body = base64.b64encode(garbage[number % len(garbage)]).decode()
        with suppress(HubAnswerError):
            hub.send_message(module=module, input=name, body=body, body_encoding="base64")
    yield
