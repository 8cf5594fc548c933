"""Ledger, outbox and consumer as a state machine: whatever is killed when, what was committed arrives once, in order.

The ledger is the real one on disk. Three mistakes that an outbox could make are seeded, and each has to be found: a
check that finds nothing proves nothing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from vigie.ledger.batch import Batch
from vigie.ledger.ledger import Ledger
from vigie.ledger.rows import LedgerEntry

LIMIT = 64 << 20
FATES = ("acknowledged", "lost", "unconfirmed", "killed before", "killed after")
# Derandomised: the same steps at each run, so that a machine of another speed finds the same.
STEPS = settings(
    max_examples=8, stateful_step_count=20, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Protocol(RuleBasedStateMachine):
    """``mistake``: which of the seeded ones is made."""

    mistake = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vigie-protocol-"))
        self.ledger = Ledger(self.folder / "ledger.db")
        self.committed: list[str] = []
        self.arrived: dict[str, bytes] = {}
        self.order: list[str] = []
        self.number = 0

    @rule(count=st.integers(1, 4))
    def record(self, count: int) -> None:
        """Inference hands over items, which sync commits."""
        traces = [f"dock-0b-{self.number + index}" for index in range(count)]
        self.number += count
        self.ledger.record([self._entry(trace) for trace in traces], LIMIT)
        self.committed += traces

    @rule(back=st.integers(1, 3))
    def record_again(self, back: int) -> None:
        """The acknowledgement to inference was lost: the same items come once more."""
        again = self.committed[-back:]
        if again:
            self.ledger.record([self._entry(trace) for trace in again], LIMIT)

    @rule(
        most=st.integers(1, 5),
        fate=st.sampled_from(["acknowledged", "lost", "unconfirmed", "killed before", "killed after"]),
    )
    def send(self, most: int, fate: str) -> None:
        """A batch goes, and something happens to it, to its acknowledgement, or to the process."""
        batch = self.ledger.next_batch("sync", most, lambda _id: 4000)
        if batch is None:
            return
        if self.mistake == "acknowledges before it sends":
            self.ledger.acknowledge(batch)
        if self.mistake == "numbers anew for each try":
            self.number_of_tries = getattr(self, "number_of_tries", 0) + 1
            batch = Batch(batch.ledger, 1000 + self.number_of_tries, batch.items, batch.body)
        if fate in ("lost", "killed before"):
            if fate == "killed before":
                self._restart()
            return
        self._deliver(batch)
        if fate == "acknowledged" and not self.mistake.startswith(("acknowledges", "numbers")):
            self.ledger.acknowledge(batch)
        elif fate == "killed after":
            self._restart()

    @rule()
    def restart(self) -> None:
        self._restart()

    @invariant()
    def what_arrived_is_a_beginning_of_what_was_committed(self) -> None:
        """Nothing lost in the middle, nothing twice, nothing out of order."""
        assert self.order == self.committed[: len(self.order)]

    def teardown(self) -> None:
        """Without further faults everything arrives."""
        try:
            while (batch := self.ledger.next_batch("sync", 50, lambda _id: 4000)) is not None:
                self._deliver(batch)
                self.ledger.acknowledge(batch)
            assert self.order == self.committed
        finally:
            self.ledger.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _deliver(self, batch: Batch) -> None:
        """The cloud keeps one message per id; another body under an id that it has is a lie."""
        before = self.arrived.setdefault(batch.message_id, batch.body)
        assert before == batch.body, "a message id stands for the same bytes for ever"
        if before is batch.body:
            self.order += [item["trace"] for item in json.loads(batch.json)["items"]]

    def _restart(self) -> None:
        """As a kill leaves it: nothing is tidied up that a commit has not made durable."""
        self.ledger.close()
        if self.mistake == "forgets what it recorded":
            for path in self.folder.glob("ledger.db*"):
                path.unlink()
        self.ledger = Ledger(self.folder / "ledger.db")

    def _entry(self, trace: str) -> LedgerEntry:
        return LedgerEntry(trace, "dock", json.dumps({"trace": trace, "camera": "dock"}).encode())


def test_what_was_committed_arrives_once_and_in_order_whatever_is_killed_when() -> None:
    run_state_machine_as_test(Protocol, settings=STEPS)  # type: ignore[no-untyped-call] # hypothesis has no types for it


@pytest.mark.parametrize(
    "mistake", ["acknowledges before it sends", "numbers anew for each try", "forgets what it recorded"]
)
def test_a_mistake_that_is_seeded_is_found(mistake: str) -> None:
    machine = type("Mistaken", (Protocol,), {"mistake": mistake})
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(machine, settings=STEPS)  # type: ignore[no-untyped-call]
