"""Webhooks against a receiver that takes, fails, stalls, refuses and redirects."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.actions_module import BOOT, KEY, Actions, Receiver, hook, zone_event


@pytest.fixture
async def actions(tmp_path: Path) -> AsyncIterator[Actions]:
    actions = Actions(tmp_path)
    await actions.start()
    yield actions
    await actions.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serve() as receiver:
        yield receiver


def keys(items: list[dict[str, Any]]) -> list[str]:
    return [item["key"] for item in items]


async def test_an_event_arrives_signed_as_standard_webhooks_has_it(actions: Actions, receiver: Receiver) -> None:
    await actions.configure(webhooks={"siren": hook(receiver, secret="HOOK")})
    await actions.until_confirmed(actions.feed([zone_event(1)]))
    await actions.until(lambda: receiver.taken)
    [(headers, body)] = receiver.taken
    message = json.loads(body)
    assert (message["schema"], message["module"], keys(message["items"])) == (
        "vigie.events/1", "actions", [zone_event(1).key],
    )  # fmt: skip
    assert headers["content-type"] == "application/json"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(base64.b64decode(KEY), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_a_receiver_that_fails_and_stalls_gets_the_same_message_under_the_same_id_until_it_takes_it(
    actions: Actions, receiver: Receiver
) -> None:
    receiver.answers = [500, None, 429, 404]
    await actions.configure(webhooks={"siren": hook(receiver)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: receiver.taken, what=str(receiver.requests))
    assert len(receiver.requests) == 5
    assert len({(headers["webhook-id"], body) for headers, body in receiver.requests}) == 1
    await actions.until(lambda: actions.metric('vigie_actions_delivered_total{sink="webhooks.siren"}') == 1)
    assert actions.metric('vigie_actions_failed_total{sink="webhooks.siren"}') == 4


async def test_order_holds_and_what_waits_travels_together(actions: Actions, receiver: Receiver) -> None:
    receiver.answers = [503]
    await actions.configure(webhooks={"siren": hook(receiver, queue={"batch_items": 30})})
    for first in range(0, 40, 4):
        sent = actions.feed([zone_event(n) for n in range(first, first + 4)])
    await actions.until_confirmed(sent)
    await actions.until(lambda: len(receiver.items()) == 40)
    assert keys(receiver.items()) == [zone_event(n).key for n in range(40)]
    assert len(receiver.taken) < 10
    assert all(len(json.loads(body)["items"]) <= 30 for _, body in receiver.taken)


async def test_the_twin_says_why_nothing_arrives_and_that_it_does_again(actions: Actions, receiver: Receiver) -> None:
    receiver.answers = [500] * 3
    await actions.configure(webhooks={"siren": hook(receiver)})
    actions.feed([zone_event(1)])

    def told() -> dict:
        return actions.hub.reported("actions").get("sinks", {}).get("webhooks_siren", {})

    await actions.until(lambda: told() == {"state": "waiting", "reason": "answered 500: said the receiver"})
    status, backlog = await actions.method("get_backlog")
    assert (status, backlog["sinks"]["webhooks.siren"]["waiting"]) == (200, 1)
    await actions.until(lambda: told() == {"state": "ok", "reason": ""})
    assert "sinks" not in actions.service.health.notes()


async def test_a_message_that_the_receiver_calls_wrong_five_times_is_dropped_counted_and_the_next_goes(
    actions: Actions, receiver: Receiver
) -> None:
    receiver.answers = [400] * 5
    await actions.configure(webhooks={"siren": hook(receiver)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: actions.metric('vigie_items_dropped_total{camera="gate",reason="refused"}') == 1)
    actions.feed([zone_event(2)])
    await actions.until(lambda: receiver.taken)
    assert keys(receiver.items()) == [zone_event(2).key]


async def test_a_redirect_is_not_followed(actions: Actions, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [307], {"location": "http://169.254.169.254/metadata"}
    await actions.configure(webhooks={"siren": hook(receiver)})
    actions.feed([zone_event(1)])
    await actions.until(lambda: receiver.taken)
    assert len(receiver.requests) == 2


async def test_each_sink_gets_what_it_wants_and_one_that_is_away_holds_up_no_other(
    actions: Actions, receiver: Receiver
) -> None:
    async with Receiver().serve() as gone:
        away = hook(gone)
    await actions.configure(
        webhooks={
            "away": away,
            "alerts": hook(receiver, wanted={"severity": "alert", "cameras": ["gate"], "types": ["zone"]}),
        }
    )
    sent = actions.feed([
        zone_event(1), zone_event(2, severity="alert"), zone_event(3, severity="alert", camera="yard"),
    ])  # fmt: skip
    await actions.until_confirmed(sent)
    await actions.until(lambda: receiver.taken)
    assert keys(receiver.items()) == [zone_event(2).key]
    _, backlog = await actions.method("get_backlog")
    assert {name: one["waiting"] for name, one in backlog["sinks"].items()}["webhooks.away"] == 3


async def test_a_module_that_stops_goes_on_where_it_was_and_other_settings_take_over_what_waits(
    actions: Actions, receiver: Receiver, tmp_path: Path
) -> None:
    async with Receiver().serve() as gone:
        away = hook(gone, queue={"retry_seconds": 60})
    await actions.configure(webhooks={"siren": away})
    await actions.until_confirmed(actions.feed([zone_event(1)]))
    await actions.stop()
    await actions.start()
    await actions.until(lambda: actions.service.twin.current is not None)
    await actions.configure(webhooks={"siren": hook(receiver)})
    await actions.until(lambda: receiver.taken)
    # Sync sends again what it was not told of: it is known here.
    actions.feed([zone_event(1)], sent=1)
    await actions.until_confirmed(actions.feed([zone_event(1), zone_event(2)], sent=2))
    await actions.until(lambda: len(receiver.items()) == 2)
    assert keys(receiver.items()) == [zone_event(1).key, zone_event(2).key]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/metadata", "169.254.169.254 is never a peer of this device"),
        ("http://[::ffff:168.63.129.16]/", "168.63.129.16 is never a peer of this device"),
        ("http://203.0.113.9/", ("203.0.113.9 is not among the hosts that this device allows (127.0.0.0/8); "
         "the device's owner adds it to VIGIE_ACTION_HOSTS")),
    ],
)  # fmt: skip
async def test_an_address_that_the_device_does_not_allow_is_refused_and_other_sinks_run_on(
    actions: Actions, receiver: Receiver, url: str, reason: str
) -> None:
    actions.hub.set_desired("actions", {"webhooks": {"evil": {"url": url}, "siren": hook(receiver)}})
    await actions.until(lambda: actions.hub.reported("actions").get("webhooks", {}).get("ac") == 400)
    told = actions.hub.reported("actions")["webhooks"]
    assert told["ad"] == f"$.webhooks.evil.url: {reason}; the other entries are in force"
    await actions.until_confirmed(actions.feed([zone_event(1)]))
    await actions.until(lambda: receiver.taken)


async def test_a_name_that_leads_to_an_address_that_is_not_allowed_is_not_connected_to(
    tmp_path: Path, receiver: Receiver
) -> None:
    actions = Actions(tmp_path)
    await actions.start(hosts="10.0.0.0/8")
    try:
        named = hook(receiver) | {"url": receiver.url.replace("127.0.0.1", "localhost")}
        await actions.configure(webhooks={"siren": named})
        actions.feed([zone_event(1)])
        await actions.until(lambda: "VIGIE_ACTION_HOSTS" in actions.service.health.notes().get("sinks", ""))
        assert receiver.requests == []
    finally:
        await actions.stop()


async def test_a_secret_of_another_host_signs_nothing_and_nothing_is_sent(actions: Actions, receiver: Receiver) -> None:
    actions.secret("OTHER", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "siren.example.com")
    await actions.configure(webhooks={"siren": hook(receiver, secret="OTHER")})
    actions.feed([zone_event(1)])
    await actions.until(lambda: "'OTHER'" in actions.service.health.notes().get("sinks", ""))
    assert receiver.requests == []


async def test_a_test_event_says_that_the_sink_took_it_and_one_that_does_not_is_told(
    actions: Actions, receiver: Receiver
) -> None:
    await actions.configure(webhooks={"siren": hook(receiver)})
    status, reply = await actions.method("send_test_event", {"sink": "webhooks.siren"})
    assert (status, reply["sink"]) == (200, "webhooks.siren")
    [item] = receiver.items()
    assert (item["type"], item["key"]) == ("test", reply["key"])
    receiver.answers = [500] * 50
    status, reply = await actions.method("send_test_event", {"sink": "webhooks.siren", "timeout_s": 1})
    assert (status, reply["error"]) == (
        503, "not taken within 1 s: answered 500: said the receiver; it stays in the queue",
    )  # fmt: skip
    assert (await actions.method("send_test_event", {"sink": "webhooks.none"}))[0] == 404


async def test_delays_are_counted_from_what_happened_and_late_ones_are_told(
    actions: Actions, receiver: Receiver
) -> None:
    await actions.configure(webhooks={"siren": hook(receiver, queue={"deadline_seconds": 3600})})
    actions.feed([zone_event(1, at="2020-01-01T00:00:00.000Z")])
    await actions.until(lambda: actions.metric('vigie_actions_late_total{sink="webhooks.siren"}') == 1)
    _, backlog = await actions.method("get_backlog")
    sink = backlog["sinks"]["webhooks.siren"]
    assert (sink["late"], sink["delivered"]) == (1, 1)
    assert sink["p99_seconds"] > 3600
    assert actions.cursor.position(BOOT) == 1


async def test_a_camera_is_erased_from_what_waits_for_a_sink_that_is_away(actions: Actions, receiver: Receiver) -> None:
    async with Receiver().serve() as gone:
        away = hook(gone, queue={"batch_items": 1})
    await actions.configure(webhooks={"away": away})
    sent = actions.feed([zone_event(n, camera=("gate", "yard")[n % 2]) for n in range(6)])
    await actions.until_confirmed(sent)

    def on_its_way() -> bool:
        return actions.hub.reported("actions").get("sinks", {}).get("webhooks_away", {}).get("state") == "waiting"

    await actions.until(on_its_way)
    assert (await actions.method("erase", {}))[0] == 400
    status, reply = await actions.method("erase", {"camera": "yard"})
    assert (status, reply) == (
        200,
        {"items": 3, "sinks": {"webhooks.away": 3}, "on_their_way": 0, "undated": 0, "unsearched": []},
    )
    _, backlog = await actions.method("get_backlog")
    assert backlog["sinks"]["webhooks.away"]["waiting"] == 3
    _, reply = await actions.method("erase", {"camera": "gate"})
    assert (reply["items"], reply["on_their_way"]) == (2, 1)
