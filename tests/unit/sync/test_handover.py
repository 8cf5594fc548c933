"""Events for modules of the device: kept by sync until the module has them, whatever the way to the cloud is like."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.sync_module import Device
from support.walks import walks
from vigie.frames.cursor import CursorWriter
from vigie_sync import __main__ as sync
from vigie_sync.handover import Handover, receivers_of
from vigie_sync.receive import ReceiveStage

GATE = {"points": [[0.25, 0.0], [0.75, 0.0], [0.75, 1.0], [0.25, 1.0]]}
RULES = {"dock": {"zones": {"gate": GATE}}}


def across(at_s: float) -> tuple[float, float]:
    return 80 * at_s, 200.0


class Confirming:
    """Plays the actions module's cursor: confirms what the test says."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._cursor = CursorWriter.open(device.folder / "frames", sender="sync", output="events", consumer="actions")

    @property
    def came(self) -> list[dict]:
        return [json.loads(raw.body) for raw in self._device.hub.module("actions").waiting]

    def confirm(self) -> None:
        newest = self.came[-1]
        self._cursor.advance(newest["boot"], newest["sent"])

    def close(self) -> None:
        self._cursor.close()


@pytest.fixture
async def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Device]:
    monkeypatch.setenv("VIGIE_EVENT_RECEIVERS", "actions")
    device = Device(tmp_path, monkeypatch)
    device.hub.routes["sync", "events"] = ("actions", "events")
    await device.start()
    yield device
    await device.stop()


async def walked(device: Device, name: str = "a") -> None:
    last = 0
    for item in walks(8, **{name: across}):
        last = device.feed([item])
    await device.until_processed(last)


def keys(messages: list[dict]) -> list[str]:
    return [item["key"] for message in messages for item in message["items"]]


def phases(messages: list[dict]) -> set[tuple[str, str]]:
    return {(one["type"], one["phase"]) for message in messages for one in message["items"]}


async def test_what_is_not_confirmed_stays_over_restarts_and_comes_again_as_the_same_message(device: Device) -> None:
    await device.configure(cameras=RULES)
    actions = Confirming(device)
    await walked(device)
    await device.until(lambda: actions.came)
    first = actions.came[0]
    await device.stop()
    device.hub.module("actions").waiting.clear()
    await device.start()
    await device.until(lambda: actions.came)
    assert actions.came[0] == first
    actions.confirm()
    told = {key for key in keys(device.upstream()) if key.startswith("event/")}

    def all_confirmed() -> bool:
        actions.confirm()
        return set(keys(actions.came)) >= told

    await device.until(all_confirmed)
    assert ("aggregate", "end") in phases(actions.came), "what went on ended with the module that stopped"
    actions.close()


async def test_what_goes_on_ends_with_the_module_also_where_the_handover_has_stopped_before(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.stop()
    stopped = threading.Event()
    run, record_last = Handover.run, ReceiveStage._record_last

    def run_and_tell(self: Handover, stop: threading.Event) -> None:
        run(self, stop)
        stopped.set()

    def record_after_it(self: ReceiveStage) -> None:
        assert stopped.wait(10.0)
        record_last(self)

    # Forces the order that loses events: the last record comes after the handover's thread has ended.
    monkeypatch.setattr(Handover, "run", run_and_tell)
    monkeypatch.setattr(ReceiveStage, "_record_last", record_after_it)
    await device.start()
    await device.configure(upstream="events", cameras=RULES)
    await device.until_processed([device.feed([item]) for item in walks(4, a=across)][-1])  # it stands in the gate
    await device.stop()
    monkeypatch.undo()
    monkeypatch.setenv("VIGIE_EVENT_RECEIVERS", "actions")
    monkeypatch.setattr(sync, "open_service", device._open_service)
    await device.start()
    actions = Confirming(device)

    def ended() -> bool:
        if actions.came:
            actions.confirm()
        return ("zone", "end") in phases(actions.came)

    await device.until(ended)
    assert ("zone", "end") in phases(device.upstream())
    actions.close()


async def test_a_cloud_that_is_away_for_long_and_a_receiver_that_is_away_do_not_wait_for_each_other(
    device: Device,
) -> None:
    await device.configure(cameras=RULES)
    await walked(device)
    # Nobody confirms: upstream goes on.
    assert (await device.method("flush"))[0] == 200
    assert keys(device.upstream())


async def test_what_waits_for_a_module_of_the_device_is_erased_too(device: Device) -> None:
    await device.configure(cameras=RULES)
    await walked(device)
    ledger = device.folder / "state/for-actions/ledger.db"
    await device.until(ledger.exists)
    status, reply = await device.method("erase", {"since": "2000-01-01T00:00:00Z"})
    assert status == 200
    # Of the copies, one message may be on its way already.
    assert reply["for_modules"]["actions"] + reply["on_their_way"] > 0
    _, again = await device.method("erase", {"since": "2000-01-01T00:00:00Z"})
    assert (again["items"], again["for_modules"]) == (0, {"actions": 0})


async def test_without_receivers_nothing_is_recorded_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIE_EVENT_RECEIVERS", raising=False)
    device = Device(tmp_path, monkeypatch)
    await device.start()
    await device.configure(cameras=RULES)
    await walked(device)
    assert not (tmp_path / "state/for-actions").exists()
    await device.stop()


def test_only_known_modules_are_receivers() -> None:
    assert receivers_of({"VIGIE_EVENT_RECEIVERS": "actions, nobody"}) == ["actions"]
    assert receivers_of({}) == []
