"""MQTT against a real broker, mosquitto: topics, Home Assistant's discovery, outages, TLS."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.actions_module import Actions, zone_event
from support.mosquitto import Broker, Listener
from vigie.contracts.events import LineEvent, PresenceEvent

EVENTS = "vigie/device/gate/event/zone"
INSIDE = "homeassistant/sensor/vigie_device/gate_zone_dock_inside/config"


@pytest.fixture
async def actions(tmp_path: Path) -> AsyncIterator[Actions]:
    actions = Actions(tmp_path)
    await actions.start("127.0.0.0/8 ::1 localhost")
    yield actions
    await actions.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker").running() as broker:
        yield broker


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker)
    yield listener
    listener.close()


def plain(broker: Broker, **facts: object) -> dict[str, object]:
    queue = {"retry_seconds": 1, "timeout_seconds": 5}
    return {"host": "127.0.0.1", "port": broker.port, "tls": False, "queue": queue, **facts}


def crossing(number: int) -> LineEvent:
    return LineEvent(
        key=f"event/line/{number}", id=f"line-{number}", phase="end", camera="gate", trace=f"gate-1-{number}",
        at="2026-11-28T10:42:00.000Z", started_at="2026-11-28T10:42:00.000Z", seconds=0.0, line="door",
        track=f"t{number}", label="person", direction="forward",
    )  # fmt: skip


async def test_events_go_to_topics_and_home_assistant_discovers_an_entity_for_each_zone_line_and_class(
    actions: Actions, broker: Broker, listener: Listener
) -> None:
    presence = PresenceEvent(
        key="event/presence/1", id="p1", phase="new", camera="gate", trace="gate-1-1", zone="dock",
        at="2026-11-28T10:42:00.000Z", started_at="2026-11-28T10:42:00.000Z", seconds=0.0,
    )  # fmt: skip
    await actions.configure(mqtt={"home": plain(broker)})
    actions.feed([zone_event(1), zone_event(2, inside=2), presence, crossing(3)])
    await actions.until(lambda: "vigie/device/gate/line/door/forward/person" in listener.newest)
    assert json.loads(listener.newest[EVENTS])["key"] == zone_event(2).key
    config = json.loads(listener.newest[INSIDE])
    # What Home Assistant's MQTT integration requires of a discovered sensor, and what makes it a device's.
    assert config["unique_id"] == "vigie_device_gate_zone_dock_inside"
    assert config["device"]["identifiers"] == ["vigie_device"]
    assert config["origin"]["name"] == "vigie-actions"
    assert listener.newest[config["state_topic"]] == b"2"
    assert listener.newest[config["availability_topic"]] == b"online"
    configs = {topic: json.loads(body) for topic, body in listener.newest.items() if topic.endswith("/config")}
    assert {one["name"]: listener.newest[one["state_topic"]] for one in configs.values()} == {
        "gate zone dock inside": b"2",
        "gate zone dock person entered": b"2",
        "gate zone dock presence": b"ON",
        "gate line door person forward": b"1",
    }
    assert len({one["unique_id"] for one in configs.values()}) == 4
    [occupancy] = [topic for topic in configs if "/binary_sensor/" in topic]
    assert configs[occupancy]["device_class"] == "occupancy"
    late = Listener(broker)
    await actions.until(lambda: INSIDE in late.newest)
    late.close()


async def test_a_broker_that_is_away_and_comes_back_empty_gets_what_waited_in_order_and_all_entities_again(
    actions: Actions, broker: Broker
) -> None:
    await actions.configure(mqtt={"home": plain(broker)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: actions.metric('vigie_actions_delivered_total{sink="mqtt.home"}') == 1)
    broker.stop()
    await actions.until_confirmed(actions.feed([zone_event(2), zone_event(3)]))
    await actions.until(lambda: "mqtt.home" in actions.service.health.notes().get("sinks", ""))
    broker.start()
    listener = Listener(broker)
    await actions.until(lambda: actions.metric('vigie_actions_delivered_total{sink="mqtt.home"}') == 3)
    came = [json.loads(payload)["key"] for topic, payload, _ in listener.messages if topic == EVENTS]
    assert list(dict.fromkeys(came))[-1] == zone_event(3).key
    assert INSIDE in listener.newest
    entered = json.loads(listener.newest["homeassistant/sensor/vigie_device/gate_zone_dock_person_entered/config"])
    # Three entered, however often the broker heard of it.
    assert listener.newest[entered["state_topic"]] == b"3"
    listener.close()


async def test_home_assistant_that_starts_anew_gets_every_entity_again(
    actions: Actions, broker: Broker, listener: Listener
) -> None:
    await actions.configure(mqtt={"home": plain(broker)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: listener.count(INSIDE) == 1)
    listener.client.publish("homeassistant/status", "online", qos=1)
    await actions.until(lambda: listener.count(INSIDE) == 2)


async def test_a_device_that_stops_or_dies_is_offline(actions: Actions, broker: Broker, listener: Listener) -> None:
    await actions.configure(mqtt={"home": plain(broker)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: listener.newest.get("vigie/device/status") == b"online")
    await actions.configure(mqtt={})
    await actions.until(lambda: listener.newest.get("vigie/device/status") == b"offline")


async def test_tls_needs_a_certificate_that_the_devices_ca_vouches_for(actions: Actions, tmp_path: Path) -> None:
    with Broker(tmp_path / "tls", tls=True).running() as broker:
        listener = Listener(broker)
        encrypted = plain(broker, tls=True, host="localhost")
        await actions.configure(mqtt={"home": encrypted})
        actions.feed([zone_event(1)])
        await actions.until(lambda: "certificate" in actions.service.health.notes().get("sinks", "").lower())
        assert listener.messages == []
        shutil.copy(broker.ca, tmp_path / "secrets/broker-ca.pem")
        await actions.configure(mqtt={"home": {**encrypted, "ca": "broker-ca.pem"}})
        await actions.until(lambda: EVENTS in listener.newest)
        listener.close()


async def test_a_broker_without_entities_gets_the_events_alone(
    actions: Actions, broker: Broker, listener: Listener
) -> None:
    await actions.configure(mqtt={"bridge": plain(broker, home_assistant="", topic="site-7")})
    actions.feed([zone_event(1)])
    await actions.until(lambda: "site-7/device/gate/event/zone" in listener.newest)
    assert set(listener.newest) == {"site-7/device/status", "site-7/device/gate/event/zone"}


async def test_a_metadata_address_is_no_broker(actions: Actions) -> None:
    actions.hub.set_desired("actions", {"mqtt": {"evil": {"host": "169.254.169.254"}}})
    await actions.until(lambda: actions.hub.reported("actions").get("mqtt", {}).get("ac") == 400)
    assert actions.hub.reported("actions")["mqtt"]["ad"].startswith(
        "$.mqtt.evil.host: 169.254.169.254 is never a peer of this device"
    )
