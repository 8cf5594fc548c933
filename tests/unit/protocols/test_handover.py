"""Ring, window, doorbell and route as a state machine: no torn frame, no lost frame to keep, a bound on what is out.

Window, reordering and rings are the real ones; the hub and the socket are what they may do: lose, repeat, overtake.
Three mistakes are seeded, and each has to be found.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError
from vigie.frames import RingPool, RingWriter
from vigie.messaging.reorder import Lane, Reorder
from vigie.messaging.window import Flight, Window

MESSAGES, SLOTS, SIZE = 2, 4, (2, 2, 3)
STREAM = ("camera", "0b")
STEPS = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Handover(RuleBasedStateMachine):
    """One sender, one consumer. ``mistake``: which of the seeded ones is made."""

    mistake = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vigie-handover-", dir="/dev/shm"))
        self.ring = RingWriter.open(self.folder, "frames", slot_bytes=12, slots=SLOTS)
        self.pool = RingPool(self.folder)
        self.window = Window(MESSAGES, timeout_s=1.0)
        self.order: Reorder[int] = Reorder(0.03)
        self.now = 0.0
        self.sent = self.position = 0
        self.references: dict[int, RingReference] = {}
        self.lane, self.last_by_bell = Lane.ROUTE, 0
        self.on_their_way: list[int] = []
        self.to_send: list[Flight] = []
        self.seen: list[int] = []

    @rule()
    def offer(self) -> None:
        """The camera writes a frame to keep; it goes if the window is open."""
        if not self.window.is_open:
            return
        self.sent += 1
        reference = self.ring.write(np.full(SIZE, self.sent % 251, np.uint8))
        assert reference is not None
        self.references[self.sent] = reference
        flight = Flight(self.sent, b"", {}, Counter(dock=1), keep=True)
        self.window.add(flight)
        self.to_send.append(flight)

    @rule(lane=st.sampled_from(list(Lane)))
    def change_lane(self, lane: Lane) -> None:
        """Doorbell or route: only while nothing of the camera is on its way."""
        if not self.window.flights and not self.on_their_way:
            self.lane = lane

    @rule()
    def send(self) -> None:
        """The oldest message that has not gone goes."""
        if self.to_send:
            flight = self.to_send.pop(0)
            self.on_their_way.append(flight.sent)
            flight.sends, flight.acknowledged_at = flight.sends + 1, self.now
            if self.mistake == "takes the hub's word for the consumer's" and flight.in_window:
                self.window.remove(flight)

    @rule(fate=st.sampled_from(["arrives", "arrives", "overtakes", "twice"]))
    def carry(self, fate: str) -> None:
        """The oldest on its way arrives, comes twice, or is overtaken by its neighbour for a moment."""
        count = 2 if fate == "overtakes" else 1
        moved, self.on_their_way = self.on_their_way[:count], self.on_their_way[count:]
        for sent in [*reversed(moved), *(moved if fate == "twice" else [])]:
            # By doorbell the number before is told; by the route it is the one less.
            after = self.last_by_bell if self.lane is Lane.DOORBELL else None
            self.order.push(STREAM, sent, sent, self.now, after=after, lane=self.lane)
            if self.lane is Lane.DOORBELL:
                self.last_by_bell = sent

    @rule()
    def carrier_dies(self) -> None:
        """A hub or a socket ends, and everything on its way with it."""
        self.on_their_way.clear()

    @rule()
    def consume(self) -> None:
        """The consumer works off what is in order, and moves its cursor behind it."""
        while (sent := self.order.pop(self.now)) is not None:
            self._see(sent)
            if self.mistake != "never moves its cursor":
                self.position = max(self.position, sent)

    @rule()
    def confirm(self) -> None:
        self.window.confirm(self.position, self.now)

    @rule(seconds=st.sampled_from([0.5, 2.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        again, lost = self.window.expire(self.now)
        assert not lost, "a frame to keep is never given up"
        if self.mistake != "does not send again":
            waiting = {flight.sent for flight in self.to_send}
            self.to_send = sorted(
                [*self.to_send, *(one for one in again if one.sent not in waiting)], key=lambda one: one.sent
            )

    @invariant()
    def no_more_is_out_than_the_window_allows(self) -> None:
        assert self.sent - self.position <= MESSAGES, "more is out than the consumer was promised"

    def teardown(self) -> None:
        """Without further faults every frame is seen, in order."""
        try:
            for _ in range(20):
                self.time_passes(40.0)
                while self.to_send:
                    self.send()
                while self.on_their_way:
                    self.carry("arrives")
                self.consume()
                self.confirm()
            assert self._processed() == self.sent, "a frame to keep was lost"
            assert not self.window.flights
        finally:
            self.pool.close()
            self.ring.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _processed(self) -> int:
        """Up to which number everything was seen."""
        seen, number = set(self.seen), 0
        while number + 1 in seen:
            number += 1
        return number

    def _see(self, sent: int) -> None:
        try:
            with self.pool.lease(self.references[sent]) as pixels:
                assert (pixels == sent % 251).all(), "a frame that is another one, or torn"
        except FrameGoneError:
            # A frame in flight has its slot: the ring has twice as many as the window lets out.
            assert self.position >= sent, "a frame that nobody has processed was overwritten"
        self.seen.append(sent)


def test_every_frame_to_keep_is_seen_whole_and_no_more_is_out_than_promised() -> None:
    run_state_machine_as_test(Handover, settings=STEPS)  # type: ignore[no-untyped-call] # hypothesis has no types for it


@pytest.mark.parametrize(
    "mistake", ["takes the hub's word for the consumer's", "never moves its cursor", "does not send again"]
)
def test_a_mistake_that_is_seeded_is_found(mistake: str) -> None:
    machine = type("Mistaken", (Handover,), {"mistake": mistake})
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(machine, settings=STEPS)  # type: ignore[no-untyped-call]
