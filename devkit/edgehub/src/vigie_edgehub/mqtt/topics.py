"""edgeHub's topics: what a module publishes, taken apart; what it is sent, put together.

Every part that strangers choose is percent-encoded with nothing left safe, because the SDK splits a
topic on raw ``/`` and each property on raw ``=``. Device and module ids are the exception: the SDK
writes and compares them as they are.
Source: edgeHub (appsettings_hub.json, MessageAddressConverter.cs, TwinAddressHelper.cs), azure-iot-device 2.14.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote, unquote

import msgspec

from vigie_edgehub.mqtt.system_properties import (
    FROM_WIRE,
    OUTPUT_NAME,
    TO_WIRE,
    TWIN_REPORTER_DEVICE_ID,
    TWIN_REPORTER_MODULE_ID,
)

_REMEMBERED_CHARS = 64
"""Longer pieces are coded anew each time: keys and most values are few and short, and memory stays bounded."""

_TWIN_GET = "$iothub/twin/GET/"
_TWIN_REPORT = "$iothub/twin/PATCH/properties/reported/"
_METHOD_ANSWER = "$iothub/methods/res/"


class TopicRefused(Exception):  # noqa: N818 - a refusal, as the hub's other ones (ports.py)
    """A topic that the dialect has no meaning for: acknowledge, drop, count, say ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Telemetry(msgspec.Struct, frozen=True):
    """A message on its way into the routes. ``module`` is None for the device itself (or a leaf device).

    The ids are what the topic says; whether the connection may say so is the hub's to judge.
    """

    device: str
    module: str | None
    app_properties: dict[str, str]
    system_properties: dict[str, str]  # by the hub's names

    @property
    def output(self) -> str | None:
        return self.system_properties.get(OUTPUT_NAME)


class TwinGet(msgspec.Struct, frozen=True):
    """``rid`` None or a ``resource`` other than empty: the hub answers 400, if it can answer at all."""

    rid: str | None
    resource: str = ""


class TwinReport(msgspec.Struct, frozen=True):
    """A patch of reported properties. Without a ``rid`` it is applied and not answered."""

    rid: str | None
    version: str | None = None


class MethodAnswer(msgspec.Struct, frozen=True):
    """``status`` is None where the module wrote something that is not an integer."""

    rid: str | None
    status: int | None


Inbound: TypeAlias = Telemetry | TwinGet | TwinReport | MethodAnswer


def parse_inbound(topic: str) -> Inbound:
    """What a client's PUBLISH to ``topic`` means. Raises: TopicRefused."""
    if topic.startswith("devices/"):
        return _telemetry(topic)
    if topic.startswith(_TWIN_GET):
        resource, bag = _split_bag(topic[len(_TWIN_GET) :])
        return TwinGet(bag.get("$rid"), resource)
    if topic.startswith(_TWIN_REPORT):
        _, bag = _split_bag(topic[len(_TWIN_REPORT) :])
        return TwinReport(bag.get("$rid"), bag.get("$version"))
    if topic.startswith(_METHOD_ANSWER):
        status, bag = _split_bag(topic[len(_METHOD_ANSWER) :])
        return MethodAnswer(bag.get("$rid"), _integer(status))
    raise TopicRefused(f"topic {_short(topic)} is not one that edgeHub knows")


def _telemetry(topic: str) -> Telemetry:
    parts = topic.split("/")
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()  # both `.../events/{bag}/` and `.../events/` may end in one slash
    if len(parts) >= 6 and parts[2] == "modules" and parts[4:6] == ["messages", "events"]:
        module: str | None = parts[3]
        bag = parts[6:]
    elif len(parts) >= 4 and parts[2:4] == ["messages", "events"]:
        module = None
        bag = parts[4:]
    else:
        raise TopicRefused(
            f"topic {_short(topic)} is not one that edgeHub knows; telemetry goes to .../messages/events/"
        )
    device = parts[1]
    if len(bag) > 1 or not device or module == "":
        raise TopicRefused(f"topic {_short(topic)} has an empty id, or a '/' in a property that is not written %2F")
    app_properties: dict[str, str] = {}
    system_properties: dict[str, str] = {}
    for pair in bag[0].split("&") if bag else ():
        if not pair:
            continue
        key, _, value = pair.partition("=")
        if "%" in key:
            key = _decoded(key)
        if "%" in value:
            value = _decoded(value)
        system_name = FROM_WIRE.get(key)
        target, name = (app_properties, key) if system_name is None else (system_properties, system_name)
        if name in target:
            raise TopicRefused(f"property {key!r} is there twice; edgeHub acknowledges such a message and drops it")
        target[name] = value
    return Telemetry(device, module, app_properties, system_properties)


def _split_bag(rest: str) -> tuple[str, dict[str, str]]:
    """``{resource}/?k=v&...`` or ``?k=v&...``: the resource without its slash, and the first of each key."""
    resource, _, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    bag: dict[str, str] = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        bag.setdefault(unquote(key), unquote(value))
    return resource.rstrip("/"), bag


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _short(topic: str) -> str:
    return repr(topic if len(topic) <= 120 else topic[:117] + "...")


def input_topic(
    device: str, module: str, input_name: str, app_properties: Mapping[str, str], system_properties: Mapping[str, str]
) -> str:
    """Where a message for an input of ``module`` is published: application properties first, then system ones.

    A system property replaces an application property of the same wire name, in its place: nobody can
    pretend to be another sender with ``$.cdid``.
    """
    bag = dict(app_properties)
    for name, value in system_properties.items():
        wire = TO_WIRE.get(name)
        if wire is not None:
            bag[wire] = value
    for name in (TWIN_REPORTER_DEVICE_ID, TWIN_REPORTER_MODULE_ID):
        if name in system_properties:
            bag[TO_WIRE[name]] = system_properties[name]
    return f"devices/{device}/modules/{module}/inputs/{_encoded(input_name)}/{_encode(bag)}"


def devicebound_topic(device: str, app_properties: Mapping[str, str], system_properties: Mapping[str, str]) -> str:
    """Where a cloud-to-device message is published to the leaf device ``device``."""
    bag = dict(app_properties)
    bag.update({TO_WIRE[name]: value for name, value in system_properties.items() if name in TO_WIRE})
    return f"devices/{device}/messages/devicebound/{_encode(bag)}"


def _encode(bag: Mapping[str, str]) -> str:
    return "&".join([f"{_encoded(key)}={_encoded(value)}" for key, value in bag.items()])


def _encoded(text: str) -> str:
    return _short_encoded(text) if len(text) <= _REMEMBERED_CHARS else quote(text, safe="")


def _decoded(text: str) -> str:
    return _short_decoded(text) if len(text) <= _REMEMBERED_CHARS else unquote(text)


@lru_cache(maxsize=4_096)
def _short_encoded(text: str) -> str:
    return quote(text, safe="")


@lru_cache(maxsize=4_096)
def _short_decoded(text: str) -> str:
    return unquote(text)


def twin_answer_topic(status: int, rid: str, version: int | None = None) -> str:
    """Where a twin GET or report is answered."""
    suffix = "" if version is None else f"&$version={version}"
    return f"$iothub/twin/res/{status}/?$rid={quote(rid, safe='')}{suffix}"


def desired_patch_topic(version: int) -> str:
    return f"$iothub/twin/PATCH/properties/desired/?$version={version}"


def method_request_topic(name: str, rid: str) -> str:
    return f"$iothub/methods/POST/{quote(name, safe='')}/?$rid={quote(rid, safe='')}"


class Subscription(StrEnum):
    """What a filter of the SDK asks for; any other filter is granted and means nothing."""

    INPUTS = "inputs"
    DEVICEBOUND = "devicebound"
    METHODS = "methods"
    DESIRED = "desired"
    TWIN_ANSWERS = "twin_answers"


_FIXED_FILTERS = {
    "$iothub/methods/POST/#": Subscription.METHODS,
    "$iothub/twin/PATCH/properties/desired/#": Subscription.DESIRED,
    "$iothub/twin/res/#": Subscription.TWIN_ANSWERS,
}


def subscription_of(topic_filter: str, device: str, module: str | None) -> Subscription | None:
    """The meaning of ``topic_filter`` for the client ``device[/module]``, or None."""
    fixed = _FIXED_FILTERS.get(topic_filter)
    if fixed is not None:
        return fixed
    parts = topic_filter.split("/")
    if (
        module is not None
        and len(parts) >= 5
        and parts[0] == "devices"
        and parts[1] == device
        and parts[2] == "modules"
        and parts[3] == module
        and (parts[4:] == ["#"] or (parts[4] == "inputs" and parts[-1] == "#"))
    ):
        return Subscription.INPUTS
    if module is None and parts[:4] == ["devices", device, "messages", "devicebound"] and parts[4:] in ([], ["#"]):
        return Subscription.DEVICEBOUND
    return None
