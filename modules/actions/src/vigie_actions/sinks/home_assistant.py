"""Home Assistant's entities of what events tell: discovery and states as MQTT messages. Pure.

Counters begin at 0 with the module: ``total_increasing`` is for that. Source:
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from vigie.contracts.events import (
    CameraDegraded,
    CameraDown,
    CameraUp,
    EventItem,
    LineEvent,
    MissingEvent,
    ObjectEvent,
    PresenceEvent,
    ZoneEvent,
)

_NO_SLUG = re.compile(r"[^a-z0-9]+")
_NO_TOPIC = re.compile(r"[^A-Za-z0-9_.-]")
# Home Assistant keeps an entity for each; a model of many classes must not flood it.
ENTITIES_MAX = 512


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """One MQTT message."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(slots=True)
class _Entity:
    component: str
    name: str
    topic: str
    facts: dict[str, Any]
    value: int | str = 0


@dataclass(slots=True)
class Entities:
    """``take`` events, publish what it returns; ``all`` again when Home Assistant or the broker begins anew."""

    prefix: str
    topic: str
    device_id: str
    version: str
    _entities: dict[str, _Entity] = field(default_factory=dict)
    _announced: set[str] = field(default_factory=set)
    _shipment: str = ""
    _touched: dict[str, None] = field(default_factory=dict)

    @property
    def status_topic(self) -> str:
        """Where the device is ``online`` or ``offline``, retained."""
        return f"{self.base}/status"

    @property
    def base(self) -> str:
        """What all topics of this device begin with."""
        return f"{self.topic}/{topic_part(self.device_id)}"

    def take(self, shipment_id: str, events: Iterable[EventItem]) -> list[MqttMessage]:
        """Discovery of new entities, then the states that changed. The same shipment again counts nothing twice."""
        if shipment_id != self._shipment:
            self._shipment, self._touched = shipment_id, {}
            for event in events:
                self._take(event)
        new = [key for key in self._touched if key not in self._announced]
        self._announced.update(new)
        return [*map(self._discovery, new), *map(self._state, self._touched)]

    def forget(self) -> None:
        """Nothing of it is at the broker any longer."""
        self._announced.clear()

    def all(self) -> list[MqttMessage]:
        """Discovery and state of every entity so far."""
        self._announced.update(self._entities)
        return [*map(self._discovery, self._entities), *map(self._state, self._entities)]

    def _take(self, event: EventItem) -> None:
        camera = event.camera
        if isinstance(event, ZoneEvent):
            self._set(f"{camera} zone {event.zone} inside", ("zone", event.zone, "inside"), event.inside)
            if event.phase == "new":
                self._count(
                    f"{camera} zone {event.zone} {event.label} entered", ("zone", event.zone, "entered", event.label)
                )
        elif isinstance(event, PresenceEvent):
            self._set(
                f"{camera} zone {event.zone} presence", ("zone", event.zone, "presence"),
                "OFF" if event.phase == "end" else "ON", component="binary_sensor", device_class="occupancy",
            )  # fmt: skip
        elif isinstance(event, MissingEvent):
            self._set(
                f"{camera} zone {event.zone} missing", ("zone", event.zone, "missing"),
                "OFF" if event.phase == "end" else "ON", component="binary_sensor", device_class="problem",
            )  # fmt: skip
        elif isinstance(event, LineEvent):
            way = ("line", event.line, event.direction, event.label)
            self._count(f"{camera} line {event.line} {event.label} {event.direction}", way)
        elif isinstance(event, CameraDown | CameraDegraded | CameraUp):
            self._set(
                f"{camera} problem", ("problem",), "OFF" if isinstance(event, CameraUp) else "ON",
                component="binary_sensor", device_class="problem",
            )  # fmt: skip
        elif isinstance(event, ObjectEvent) and event.phase == "new":
            self._count(f"{camera} {event.label} seen", ("object", event.label, "seen"))

    def _count(self, name: str, path: tuple[str, ...]) -> None:
        entity = self._entity(name, path, "sensor", {"state_class": "total_increasing"})
        if entity is not None:
            entity.value = int(entity.value) + 1

    def _set(
        self, name: str, path: tuple[str, ...], value: int | str, *, component: str = "sensor", device_class: str = ""
    ) -> None:
        facts = {"device_class": device_class} if device_class else {"state_class": "measurement"}
        entity = self._entity(name, path, component, facts)
        if entity is not None:
            entity.value = value

    def _entity(self, name: str, path: tuple[str, ...], component: str, facts: dict[str, Any]) -> _Entity | None:
        key = slug(name)
        if key not in self._entities:
            if len(self._entities) >= ENTITIES_MAX:
                return None
            camera = name.partition(" ")[0]
            topic = "/".join([self.base, *map(topic_part, (camera, *path))])
            self._entities[key] = _Entity(component, name, topic, facts)
        self._touched[key] = None
        return self._entities[key]

    def _discovery(self, key: str) -> MqttMessage:
        entity, device = self._entities[key], slug(self.device_id)
        config = {
            "name": entity.name,
            "unique_id": f"vigie_{device}_{key}",
            "object_id": f"{device}_{key}",
            "state_topic": entity.topic,
            "availability_topic": self.status_topic,
            **entity.facts,
            "device": {
                "identifiers": [f"vigie_{device}"], "name": f"Vigie {self.device_id}", "manufacturer": "Vigie",
                "model": "Vigie", "sw_version": self.version,
            },
            "origin": {"name": "vigie-actions", "sw_version": self.version},
        }  # fmt: skip
        return MqttMessage(f"{self.prefix}/{entity.component}/vigie_{device}/{key}/config", msgspec.json.encode(config))

    def _state(self, key: str) -> MqttMessage:
        entity = self._entities[key]
        return MqttMessage(entity.topic, str(entity.value).encode())


def slug(text: str) -> str:
    """As Home Assistant has object ids: lower case, digits, underscores."""
    return _NO_SLUG.sub("_", text.lower()).strip("_") or "_"


def topic_part(text: str) -> str:
    """One level of a topic: without wildcards, separators and blanks."""
    return _NO_TOPIC.sub("_", text) or "_"


def event_topic(base: str, camera: str, kind: str) -> str:
    """Where events of a type of a camera go."""
    return f"{base}/{topic_part(camera)}/event/{topic_part(kind)}"


def known(items: Iterable[bytes]) -> Iterator[EventItem]:
    """Those of ``items`` that this version knows; a test event, or a type to come, makes no entity."""
    decoder = msgspec.json.Decoder(EventItem)
    for item in items:
        try:
            yield decoder.decode(item)
        except msgspec.ValidationError:
            continue
