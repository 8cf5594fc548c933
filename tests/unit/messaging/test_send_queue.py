"""Outputs and the thread that sends for them, against a session under the test's control."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import msgspec
import pytest

from support.mean_hub import wait_until
from vigie.contracts.envelope import INPUT_SPEC, MESSAGE_LIMIT_BYTES
from vigie.contracts.inputspec import InputSpec
from vigie.errors import HubUnavailableError
from vigie.messaging.output import Output
from vigie.messaging.output_settings import OutputSettings
from vigie.messaging.send_queue import SendQueue
from vigie.metrics import Metrics


class Hub:
    """A session that records, and blocks or fails when told."""

    def __init__(self) -> None:
        self.usable = True
        self.bodies: list[bytes] = []
        self.go = threading.Event()
        self.go.set()
        self.failures = 0

    def send(self, output: str | None, body: bytes, properties: Mapping[str, str], message_id: str | None) -> None:
        self.go.wait(10)
        if self.failures:
            self.failures -= 1
            raise HubUnavailableError("cut")
        self.bodies.append(body)

    @property
    def sent(self) -> list[tuple[int, list[str]]]:
        decoded = [msgspec.json.decode(body) for body in self.bodies]
        return [(message["sent"], [item["version"] for item in message["items"]]) for message in decoded]


class Consumer:
    def __init__(self) -> None:
        self.at: int | None = 0

    def position(self, _boot: str) -> int | None:
        return self.at


class Rig:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.outbox = SendQueue()
        self.consumer = Consumer()
        self.hub = Hub()
        self.settings = OutputSettings("specs", INPUT_SPEC, window_messages=2, max_outstanding=4)

    def output(self, **changes: object) -> Output[InputSpec]:
        output: Output[InputSpec] = Output(
            replace(self.settings, **changes), module_id="a", boot="0b", progress=self.consumer,
            condition=self.outbox.condition, metrics=self.metrics,
        )  # fmt: skip
        self.outbox.add(output)
        return output

    def dropped(self, reason: str) -> float:
        return sum(value for key, value in self.metrics.values().items() if f'reason="{reason}"' in key)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.outbox.detach(made.hub)


def spec(version: str, text: str = "stretch") -> InputSpec:
    return InputSpec(version, (4, 4), text)  # type: ignore[arg-type]


def test_who_offers_learns_what_was_dropped_for_it(rig: Rig) -> None:
    output = rig.output()
    assert output.offer(spec("1"), key="c", keep=False) is None
    assert output.offer(spec("2"), key="c", keep=True) is None
    assert output.offer(spec("3"), key="c", keep=False) == spec("1")


def test_results_of_one_batch_leave_in_one_message(rig: Rig) -> None:
    output = rig.output()
    with output.together(3, within_s=30.0):
        for number in (1, 2, 3):
            output.offer(spec(str(number)), key=f"camera-{number}", keep=False)
            # As the sending thread asks, whenever it gets its turn.
            with rig.outbox.condition:
                assert output.next_flight(time.monotonic()) is None
    rig.outbox.attach(rig.hub)
    wait_until(lambda: rig.hub.bodies)
    assert rig.hub.sent == [(1, ["1", "2", "3"])]


def test_a_slow_stage_does_not_hold_its_first_result_for_its_last(rig: Rig) -> None:
    output = rig.output()
    rig.outbox.attach(rig.hub)
    with output.together(2, within_s=0.01):
        output.offer(spec("1"), key="a", keep=False)
        wait_until(lambda: rig.hub.bodies)
        output.offer(spec("2"), key="b", keep=False)
    wait_until(lambda: len(rig.hub.bodies) == 2)


def test_a_batch_of_one_is_not_held(rig: Rig) -> None:
    output = rig.output()
    rig.outbox.attach(rig.hub)
    with output.together(1, within_s=30.0):
        output.offer(spec("1"), key="a", keep=False)
        wait_until(lambda: rig.hub.bodies)


def test_light_load_sends_one_item_a_message_at_once(rig: Rig) -> None:
    output = rig.output()
    rig.outbox.attach(rig.hub)
    for number in (1, 2):
        output.offer(spec(str(number)), key="c", keep=False)
        wait_until(lambda: len(rig.hub.bodies) == number)  # noqa: B023
    assert rig.hub.sent == [(1, ["1"]), (2, ["2"])]


def test_what_arrives_while_the_window_is_shut_joins_the_next_message(rig: Rig) -> None:
    output = rig.output()
    rig.outbox.attach(rig.hub)
    for number in (1, 2):
        output.offer(spec(str(number)), key="c", keep=True)
        wait_until(lambda: len(rig.hub.bodies) == number)  # noqa: B023
    for number in (3, 4, 5):
        output.offer(spec(str(number)), key="c", keep=True)
    assert output.outstanding == 5
    rig.consumer.at = 1
    wait_until(lambda: len(rig.hub.bodies) == 3)
    assert rig.hub.sent[2] == (3, ["3", "4", "5"])


def test_the_newest_item_of_a_key_replaces_the_one_that_waits_and_the_drop_is_counted(rig: Rig) -> None:
    output = rig.output()
    for number in range(5):
        output.offer(spec(str(number)), key="c", keep=False)
    rig.outbox.attach(rig.hub)
    wait_until(lambda: rig.hub.bodies)
    assert rig.hub.sent == [(1, ["4"])]
    assert rig.dropped("consumer_behind") == 4


def test_what_was_being_sent_when_the_session_died_is_sent_first_by_the_next_one(rig: Rig) -> None:
    output = rig.output()
    rig.hub.go.clear()
    rig.outbox.attach(rig.hub)
    output.offer(spec("1"), key="c", keep=False)
    wait_until(lambda: rig.outbox._sending)
    rig.outbox.detach(rig.hub)
    output.offer(spec("2"), key="c", keep=False)
    following = Hub()
    rig.outbox.attach(following)
    wait_until(lambda: len(following.bodies) == 2)
    assert following.sent == [(1, ["1"]), (2, ["2"])]
    rig.hub.go.set()  # the old thread comes back late: nothing changes
    rig.outbox.detach(following)


def test_a_send_that_failed_is_repeated_under_its_number(rig: Rig) -> None:
    output = rig.output()
    rig.hub.failures = 2
    rig.outbox.attach(rig.hub)
    output.offer(spec("1"), key="c", keep=False)
    wait_until(lambda: rig.hub.bodies)
    assert rig.hub.sent == [(1, ["1"])]


def test_messages_stay_below_the_limit_of_the_hub(rig: Rig) -> None:
    output = rig.output(window_messages=9)
    for number in range(6):
        output.offer(spec(f"{number}" * 80_000), key=str(number), keep=True)
    rig.outbox.attach(rig.hub)
    wait_until(lambda: sum(len(items) for _, items in rig.hub.sent) == 6)
    assert [len(items) for _, items in rig.hub.sent] == [3, 3]
    assert all(len(body) < MESSAGE_LIMIT_BYTES for body in rig.hub.bodies)


def test_an_item_above_the_limit_is_dropped_with_its_reason(rig: Rig) -> None:
    output = rig.output()
    output.offer(spec("x" * 300_000), key="c", keep=True)
    output.offer(spec("small"), key="c", keep=True)
    rig.outbox.attach(rig.hub)
    wait_until(lambda: rig.hub.bodies)
    assert rig.hub.sent == [(1, ["small"])]
    assert rig.dropped("too_large") == 1


def test_a_lost_message_frees_the_window_and_its_items_are_counted(rig: Rig) -> None:
    output = rig.output(window_messages=1, timeout_s=0.05)
    rig.outbox.attach(rig.hub)
    output.offer(spec("1"), key="c", keep=False)
    wait_until(lambda: len(rig.hub.bodies) == 1)
    output.offer(spec("2"), key="c", keep=False)
    wait_until(lambda: len(rig.hub.bodies) == 2)
    assert rig.dropped("unconfirmed") == 1


def test_a_lost_message_that_must_arrive_is_sent_again_under_its_number(rig: Rig) -> None:
    output = rig.output(timeout_s=0.05)
    rig.outbox.attach(rig.hub)
    output.offer(spec("1"), key="c", keep=True)
    wait_until(lambda: len(rig.hub.bodies) == 2)
    assert rig.hub.sent[:2] == [(1, ["1"]), (1, ["1"])]
    assert rig.dropped("unconfirmed") == 0


def test_waiting_for_room_ends_when_the_consumer_has_caught_up_or_the_module_stops(rig: Rig) -> None:
    output = rig.output()
    rig.outbox.attach(rig.hub)
    stop = threading.Event()
    for number in range(4):
        assert output.wait_for_room(stop, 0.0)
        output.offer(spec(str(number)), key="c", keep=True)
    assert not output.wait_for_room(stop, 0.01)
    wait_until(lambda: len(rig.hub.bodies) == 2)
    rig.consumer.at = 2
    assert output.wait_for_room(stop, 5.0)
    rig.consumer.at = 0
    stop.set()
    assert output.wait_for_room(stop, 5.0)


def test_a_busy_output_does_not_starve_a_quiet_one(rig: Rig) -> None:
    busy, quiet = rig.output(window_messages=1000, max_outstanding=1000), rig.output(name="quiet")
    order: list[str] = []
    send: Callable[..., None] = rig.hub.send

    def record(output: str, *rest: object) -> None:
        order.append(output)
        if len(order) < 50:
            busy.offer(spec("b"), key="c", keep=True)
        send(output, *rest)

    rig.hub.send = record  # type: ignore[method-assign, assignment]
    busy.offer(spec("b"), key="c", keep=True)
    quiet.offer(spec("q"), key="c", keep=True)
    rig.outbox.attach(rig.hub)
    wait_until(lambda: len(order) >= 50)
    assert "quiet" in order[:3]


def test_lingering_lets_items_join(rig: Rig) -> None:
    output = rig.output(linger_ms=200.0)
    rig.outbox.attach(rig.hub)
    for number in range(3):
        output.offer(spec(str(number)), key=str(number), keep=False)
    wait_until(lambda: rig.hub.bodies)
    assert rig.hub.sent == [(1, ["0", "1", "2"])]
