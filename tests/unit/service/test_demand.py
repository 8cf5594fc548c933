"""A module's side of the viewer: it answers when asked, and stops by itself when nobody asks any longer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from support.modules import Sender, environment, until
from vigie.contracts import names
from vigie.demand import LONGEST_S, Demands, offer_demands, redacted
from vigie.messaging.memory import MemoryHub
from vigie.service import open_service


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str = "rtsp://viewer:secret@10.0.0.7/stream"


def hub_for(module: str) -> MemoryHub:
    return MemoryHub({
        (names.VIEWER, names.DEMAND): (module, names.DEMAND),
        (module, names.STATUS): (names.VIEWER, names.STATUS),
    })  # fmt: skip


async def test_a_module_says_how_it_is_when_asked_and_hides_passwords(tmp_path: Path) -> None:
    hub = hub_for("camera")
    async with open_service(environment("camera", tmp_path), Config, make_link=hub.link("camera")) as service:
        offer_demands(service)
        await service.start()
        service.twin.report({"camera_state": {"dock": {"source": "rtsp://a:b@h/s"}}})

        async def apply(_new: Config, _old: Config | None) -> None: ...

        from support.modules import task

        async with task(service.twin.run(apply)):
            await until(lambda: service.twin.current is not None, what="a configuration")
            asking = Sender(hub, names.VIEWER, names.DEMAND, "vigie.demand/1")
            asking.send({"cameras": {}, "seconds": 5.0, "schema": True})
            waiting = hub.module(names.VIEWER).waiting
            await until(lambda: waiting, what="an answer")
            (status,) = msgspec.json.decode(waiting.popleft().body)["items"]
    assert status["module"] == "camera"
    assert status["desired"] == {"source": "rtsp://viewer:***@10.0.0.7/stream"}
    assert status["reported"]["camera_state"] == {"dock": {"source": "rtsp://a:***@h/s"}}
    assert "source" in str(status["schema"])
    assert status["metrics"]["vigie_hub_connected"] == 1.0


async def test_frames_are_wanted_by_number_and_only_until_the_demand_ends(tmp_path: Path) -> None:
    now = [100.0]
    hub = hub_for("camera")
    async with open_service(environment("camera", tmp_path), Config, make_link=hub.link("camera")) as service:
        demands = Demands(service, clock=lambda: now[0])
        assert not demands.wants("dock", 0)
        from vigie.contracts.demand import Demand

        demands.take(Demand({"dock": 4}, 1e9))
        assert [seq for seq in range(9) if demands.wants("dock", seq)] == [0, 4, 8]
        assert not demands.wants("gate", 0)
        now[0] += LONGEST_S + 0.1  # however long it asked for: a viewer that died must not go on costing
        assert not demands.wants("dock", 0)


def test_passwords_are_hidden_wherever_they_are() -> None:
    assert redacted({"a": ["rtsp://u:p@h"], "b": {"c": "rtsp://u:${NAME}@h"}, "d": 1}) == {
        "a": ["rtsp://u:***@h"],
        "b": {"c": "rtsp://u:${NAME}@h"},
        "d": 1,
    }
