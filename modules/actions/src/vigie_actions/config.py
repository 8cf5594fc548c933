"""Desired properties of the actions module: sinks by kind and name. A secret is named here and lies on the device."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.events import Phase, Severity
from vigie.events.settings import Name

EventType = Literal[
    "object",
    "zone",
    "line",
    "presence",
    "missing",
    "aggregate",
    "camera-down",
    "camera-degraded",
    "camera-up",
    "camera-changed",
    "model-update",
    "model-drift",
    "model-throttled",
]
SINKS_MAX = 16
_SECRET = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"  # noqa: S105 - the form of a secret's name
Secret = Annotated[str, Meta(pattern=_SECRET)]
_Text = Annotated[str, Meta(min_length=1, max_length=128)]


class WantedEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which events a sink gets."""

    types: Annotated[list[EventType], Meta(min_length=1, description="Types of events; absent: all.")] | None = None
    phases: Annotated[list[Phase], Meta(min_length=1, description="Phases; absent: all.")] | None = None
    severity: Annotated[Severity, Meta(description="'alert': alerts only.")] = "event"
    cameras: Annotated[list[Name], Meta(min_length=1, description="Cameras; absent: all.")] | None = None


class SinkQueue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What waits for a sink, on disk."""

    bytes: Annotated[
        int, Meta(ge=1 << 20, le=1 << 32, description="Disk it may take; full: the oldest events go, counted.")
    ] = 32 << 20
    batch_items: Annotated[
        int, Meta(ge=1, le=500, description="Events in one delivery, at most; nobody waits for more to come.")
    ] = 50
    timeout_seconds: Annotated[float, Meta(ge=0.1, le=120, description="One try ends after so long.")] = 10.0
    retry_seconds: Annotated[
        float,
        Meta(ge=1, le=3600, description="Longest pause between two tries; the first pause is 0.5 s, then doubled."),
    ] = 60.0
    deadline_seconds: Annotated[
        float,
        Meta(gt=0, le=86_400, description="An event that arrives later than this after it happened counts as late."),
    ] = 5.0


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An HTTP(S) receiver: every delivery is a POST, signed by Standard Webhooks where `secret` is set."""

    url: Annotated[
        str, Meta(pattern="^https?://[^/?#@\\s]+([/?][^\\s]*)?$", max_length=1024, description="Where to POST.")
    ]
    secret: (
        Annotated[Secret, Meta(description="Name of the device's secret that signs: `whsec_` and base64.")] | None
    ) = None
    bearer: (
        Annotated[Secret, Meta(description="Name of the device's secret that goes as `Authorization: Bearer`.")] | None
    ) = None
    ca: (
        Annotated[Secret, Meta(description="File of the secrets folder with the CA that the server is checked by.")]
        | None
    ) = None
    wanted: WantedEvents = WantedEvents()
    queue: SinkQueue = SinkQueue()


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An MQTT broker: every event on a topic of its own, and Home Assistant's entities."""

    host: Annotated[
        str, Meta(pattern="^[A-Za-z0-9.:_-]+$", max_length=253, description="Name or address of the broker.")
    ]
    port: Annotated[int, Meta(ge=1, le=65_535, description="Its port; MQTT without TLS is usually 1883.")] = 8883
    tls: Annotated[bool, Meta(description="Encrypted, and the broker's certificate is checked.")] = True
    ca: (
        Annotated[Secret, Meta(description="File of the secrets folder with the CA that the broker is checked by.")]
        | None
    ) = None
    username: _Text | None = None
    password: Annotated[Secret, Meta(description="Name of the device's secret that is the password.")] | None = None
    topic: Annotated[
        str, Meta(pattern="^[^#+/\\s][^#+\\s]*$", max_length=128, description="First part of every topic.")
    ] = "vigie"
    home_assistant: Annotated[
        str,
        Meta(
            pattern="^[^#+\\s]*$", max_length=64, description="Discovery prefix of Home Assistant; empty: no entities."
        ),
    ] = "homeassistant"
    wanted: WantedEvents = WantedEvents()
    queue: SinkQueue = SinkQueue()


class ActionsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is told of events on site. Nothing is sent to anybody by default."""

    webhooks: Annotated[
        dict[Name, Webhook], Meta(max_length=SINKS_MAX, description="Receivers over HTTP, by a name of your choice.")
    ] = {}
    mqtt: Annotated[
        dict[Name, Mqtt], Meta(max_length=SINKS_MAX, description="MQTT brokers, by a name of your choice.")
    ] = {}
