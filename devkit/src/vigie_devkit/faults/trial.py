"""One fault tried on the running system: put, held, ended; then the promise is looked at."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vigie_devkit.faults.account import Account
from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.signs import Sign
from vigie_devkit.faults.system import FaultError
from vigie_devkit.faults.watched import FLOW, Watched
from vigie_edgehub.errors import UpstreamUnreadableError

GIVE_UP_S = 150.0
DRAINED_WITHIN_S = 90.0
SIGNS_WITHIN_S = 45.0
READY_WITHIN_S = 45.0


@dataclass(frozen=True)
class Result:
    """``back_s``: None if flow did not come back. ``unmet``: what was promised and did not happen, as sentences."""

    fault: str
    back_s: float | None = None
    seconds: float = 0.0
    lost: int = 0
    twice: int = 0
    unordered: int = 0
    seen: tuple[str, ...] = ()
    unmet: tuple[str, ...] = field(default_factory=tuple)

    @property
    def kept(self) -> bool:
        return not self.unmet

    @property
    def verdict(self) -> str:
        return "kept" if self.kept else f"NOT KEPT: {'; '.join(self.unmet)}"


class Arrivals:
    """The record of what arrived, read as it grows."""

    def __init__(self, system: Watched) -> None:
        self._system = system
        self._after = 0
        self.account = Account()

    def take(self) -> Account:
        """All that is new."""
        try:
            for number, module, body in self._system.arrived(self._after):
                self._after = number
                if module == "sync":
                    self.account.take([_envelope(body)])
        except (UpstreamUnreadableError, sqlite3.Error):
            pass  # the hub may just be making it anew; what is missing at the end is found then
        except Exception:
            self.account.unreadable += 1
        return self.account


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def try_fault(fault: Fault, system: Watched, upstream: Arrivals, *, signs_within_s: float = SIGNS_WITHIN_S) -> Result:
    """Raises: FaultError: the system does not flow before the fault, so nothing can be said of it."""
    begun = time.monotonic()
    _wait_for_flow(upstream, system)
    before = _counts(upstream.take())
    watch = _Watch(fault.signs, system)
    flowed = not fault.flows_meanwhile
    with fault.put(system):
        in_force_ns = time.monotonic_ns()
        until = time.monotonic() + fault.hold_s
        while time.monotonic() < until:
            time.sleep(0.2)
            watch.look()
        # Of the last quarter: what was on its way when it began says nothing.
        late_ns = in_force_ns + int(fault.hold_s * 0.75e9)
        flowed = flowed or upstream.take().newest_captured_ns > late_ns
    give_up_s = max(GIVE_UP_S, fault.back_within_s + 30.0)
    back_s = until_back(upstream, system, time.monotonic_ns(), give_up_s)
    watch.wait(signs_within_s)
    is_drained = back_s is not None and drained(system)
    counts = {what: count - before[what] for what, count in _counts(upstream.take()).items()}
    # A ledger in doubt is begun anew: what was on its way may come again, under another message id and its own trace.
    allowed = {"came twice"} if fault.new_ledger else set()
    unmet = [f"{count} {what}" for what, count in counts.items() if count > 0 and what not in allowed]
    if back_s is None:
        unmet.append(f"no frame captured after the fault reached upstream within {give_up_s:.0f} s")
    else:
        if back_s > fault.back_within_s:
            unmet.append(f"flow was back after {back_s:.1f} s, promised within {fault.back_within_s:g} s")
        if not is_drained:
            unmet.append(f"what is recorded was not sent within {DRAINED_WITHIN_S:.0f} s")
        unmet += [f"{name} is not ready" for name in _unready(system)]
    if not flowed:
        unmet.append("nothing flowed any more while the fault was in force")
    unmet += [f"not seen: {sign.words()}" for sign in watch.missing()]
    return Result(
        fault.name,
        back_s=None if back_s is None else round(back_s, 1),
        seconds=round(time.monotonic() - begun, 1),
        lost=counts["lost"],
        twice=counts["came twice"],
        unordered=counts["out of order"],
        seen=tuple(sign.words() for sign in fault.signs if sign not in watch.missing()),
        unmet=tuple(unmet),
    )


def tried(fault: Fault, system: Watched, upstream: Arrivals) -> Result:
    """As `try_fault`, whatever goes wrong."""
    try:
        return try_fault(fault, system, upstream)
    except Exception as error:
        return Result(fault.name, unmet=(f"it could not be tried: {type(error).__name__}: {str(error)[:400]}",))


def _counts(account: Account) -> dict[str, int]:
    return {
        "lost": account.lost(),
        "came twice": account.twice,
        "out of order": account.unordered,
        "unreadable": account.unreadable,
    }


class _Watch:
    """Looks for signs until each is seen."""

    def __init__(self, signs: Sequence[Sign], system: Watched) -> None:
        self._system = system
        self._waiting = [(sign, sign.begin(system)) for sign in signs]

    def look(self) -> None:
        self._waiting = [(sign, mark) for sign, mark in self._waiting if not _quietly(sign.seen, self._system, mark)]

    def wait(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        self.look()
        while self._waiting and time.monotonic() < deadline:
            time.sleep(0.3)
            self.look()

    def missing(self) -> list[Sign]:
        return [sign for sign, _ in self._waiting]


def _wait_for_flow(upstream: Arrivals, system: Watched, within_s: float = 240.0) -> None:
    now_ns = time.monotonic_ns()
    deadline = time.monotonic() + within_s
    while upstream.take().newest_captured_ns <= now_ns:
        if time.monotonic() > deadline or system.has_ended():
            raise FaultError(f"the system does not flow before the fault\n{system.tail()}")
        time.sleep(0.2)


def until_back(upstream: Arrivals, system: Watched, ended_ns: int, give_up_s: float = GIVE_UP_S) -> float | None:
    """Seconds until a frame that was captured after ``ended_ns`` has arrived; None: it did not come."""
    while (waited_s := (time.monotonic_ns() - ended_ns) / 1e9) < give_up_s:
        if upstream.take().newest_captured_ns > ended_ns:
            return waited_s
        if system.has_ended():
            return None
        time.sleep(0.1)
    return None


def drained(system: Watched) -> bool:
    """Whether what sync has recorded is sent, within a minute and a half."""
    deadline = time.monotonic() + DRAINED_WITHIN_S
    while time.monotonic() < deadline:
        backlog = _quietly(lambda: system.metric("sync", "vigie_ledger_backlog", {}))
        # The flow goes on: what counts is that no more waits than came in the last seconds.
        if isinstance(backlog, float) and backlog <= 100:
            return True
        time.sleep(0.5)
    return False


def _unready(system: Watched) -> list[str]:
    deadline = time.monotonic() + READY_WITHIN_S
    unready = list(FLOW)
    while unready and time.monotonic() < deadline:
        unready = system.unready(unready)
        if unready:
            time.sleep(0.5)
    return unready


def _quietly(look: Callable[..., Any], *about: object) -> Any:
    """A look at a system under fault may fail; then it saw nothing."""
    try:
        return look(*about)
    except Exception:
        return None
