"""What counts as seen: a module answers direct methods again, through the hub that started after the fault."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.registry import all_faults
from vigie_devkit.faults.signs import AnswersAgain, LogText
from vigie_devkit.faults.trial import Arrivals, try_fault
from vigie_devkit.faults.watched import FLOW


@dataclass
class Flowing:
    """A system whose frames flow whatever happens; ``deaf``: modules that no direct method reaches.

    ``starts``: of the hub, one for each look; the last one stays.
    """

    starts: list[str] = field(default_factory=lambda: ["1"])
    deaf: set[str] = field(default_factory=set)
    seed: int = 1
    asked: list[str] = field(default_factory=list)
    log: str = ""
    stands: bool = False
    _sent: int = 0

    def hub_start(self) -> str:
        return self.starts.pop(0) if len(self.starts) > 1 else self.starts[0]

    def answers(self, module: str) -> bool:
        self.asked.append(module)
        return module not in self.deaf

    def arrived(self, after: int) -> Iterator[tuple[int, str, bytes]]:
        if self.stands:
            return
        self._sent += 1
        item = {"trace": f"dock-b-{self._sent}", "captured_ns": time.monotonic_ns()}
        yield self._sent, "sync", json.dumps({"boot": "aa", "sent": self._sent, "items": [item]}).encode()

    def metric(self, module: str, name: str, labels: Mapping[str, str]) -> float | None:
        return 0.0

    def unready(self, modules: Sequence[str]) -> list[str]:
        return []

    def has_ended(self) -> bool:
        return False

    def tail(self) -> str:
        return ""

    def log_text(self, process: str) -> str:
        return self.log

    def screen(self) -> str:
        return ""

    def reported_text(self, module: str) -> str:
        return ""

    def patch(self, module: str, desired: Mapping[str, Any]) -> int:
        return 1


def hub_fault(deaf: set[str]) -> Fault:
    """The hub starts anew, and from then on ``deaf`` hear nothing."""

    @contextmanager
    def put(system: Flowing) -> Iterator[None]:
        system.starts, system.deaf = ["2"], deaf
        yield

    return Fault(name="x", what="x", put=put, signs=[AnswersAgain(module) for module in FLOW])


@pytest.mark.parametrize(
    ("starts", "deaf", "seen"),
    [
        (["1", "2"], set(), True),
        (["1", "2"], {"sync"}, False),
        (["1", "1"], set(), False),
        (["1", ""], set(), False),
        (["1", "2", "3"], set(), False),
    ],
    ids=["answers", "deaf", "the-hub-before", "no-hub", "the-hub-went-meanwhile"],
)
def test_an_answer_counts_that_came_through_one_hub_that_is_new(starts: list[str], deaf: set[str], seen: bool) -> None:
    system = Flowing(list(starts), deaf)
    sign = AnswersAgain("sync")
    assert sign.seen(system, sign.begin(system)) is seen


def test_modules_that_flow_and_hear_nothing_break_the_promise() -> None:
    system = Flowing()
    result = try_fault(hub_fault({"preprocess", "inference"}), system, Arrivals(system), signs_within_s=0.5)
    assert result.back_s is not None
    assert result.unmet == tuple(
        f"not seen: {name} answers direct methods again" for name in ("preprocess", "inference")
    )
    system = Flowing()
    assert try_fault(hub_fault(set()), system, Arrivals(system)).kept
    assert set(system.asked) == set(FLOW)


@pytest.mark.parametrize("name", ["hub-twins-garbage", "hub-store-cut", "hub-sessions-garbage", "hub-ca-garbage"])
def test_after_damage_to_a_hubs_files_every_module_must_answer_again(name: str) -> None:
    assert {sign.module for sign in all_faults()[name].signs if isinstance(sign, AnswersAgain)} == set(FLOW)


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("", "the hub's CA is damaged\n", True),
        ("it is damaged\n", "it is damaged\n", False),
        ("it is damaged\n", "it is damaged\nit is damaged\n", True),
        ("a long line of an earlier start\n", "it is damaged\n", True),
    ],
    ids=["written", "of an earlier start", "again", "the log was rotated"],
)
def test_what_a_process_wrote_counts_from_the_fault_on(before: str, after: str, seen: bool) -> None:
    system, sign = Flowing(log=before), LogText("hub", "is damaged")
    mark = sign.begin(system)
    system.log = after
    assert sign.seen(system, mark) is seen


@pytest.mark.parametrize(
    "name",
    [
        "state-garbage", "twin-copy-sync", "cache-cut", "model-file-cut", "ledger-flipped", "ledger-empty",
        "hub-store-cut", "hub-twins-garbage", "hub-sessions-garbage", "hub-ca-garbage", "audit-garbage",
    ],
)  # fmt: skip
def test_every_kind_of_file_that_is_kept_has_a_fault_that_damages_it(name: str) -> None:
    assert name in all_faults()


@pytest.mark.parametrize("stands", [False, True], ids=["flows", "stands-still"])
def test_flow_that_is_promised_meanwhile_is_looked_for_before_the_fault_ends(stands: bool) -> None:
    @contextmanager
    def put(system: Flowing) -> Iterator[None]:
        system.stands = stands
        yield
        system.stands = False

    system = Flowing()
    result = try_fault(Fault(name="x", what="x", put=put, hold_s=0.5, flows_meanwhile=True), system, Arrivals(system))
    assert result.unmet == (("nothing flowed any more while the fault was in force",) if stands else ())
