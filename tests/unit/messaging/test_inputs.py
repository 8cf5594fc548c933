"""An input: decoding, refusing, order, bounds."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from vigie.contracts.envelope import INPUT_SPEC, Envelope
from vigie.contracts.inputspec import InputSpec
from vigie.messaging.inputs import InputQueue
from vigie.messaging.reorder import Lane
from vigie.messaging.session import RawMessage
from vigie.metrics import Metrics

SPEC = InputSpec("v", (4, 4), "stretch")


class Progress:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int, bool]] = []

    def processed(
        self, sender: str, boot: str, sent: int, *, credit_wanted: bool, lane: Lane = Lane.ROUTE, wake: str = ""
    ) -> None:
        self.calls.append((sender, boot, sent, credit_wanted))


class Input:
    def __init__(self, capacity: int = 64, order_of: Callable[[InputSpec], str | None] | None = None) -> None:
        self.progress = Progress()
        self.metrics = Metrics()
        self.queue = InputQueue(
            "specs",
            InputSpec,
            INPUT_SPEC,
            capacity=capacity,
            acknowledge=self.progress,
            metrics=self.metrics,
            order_of=order_of,
        )

    def put(self, body: bytes, *, lane: Lane = Lane.ROUTE, **properties: str) -> None:
        self.queue.put(RawMessage("specs", body, properties, 0, lane))

    def count(self, name: str) -> float:
        return sum(value for key, value in self.metrics.values().items() if key.startswith(name))


def body(sent: int, schema: str = "vigie.inputspec/1", module: str = "inference", boot: str = "0a") -> bytes:
    return msgspec.json.encode(Envelope(schema, module, boot, sent, [SPEC]))


def test_a_message_is_given_with_its_items_and_done_tells_its_sender() -> None:
    made = Input()
    made.put(body(1), credit="1")
    message = made.queue.get(1.0)
    assert message is not None
    assert message.items == [SPEC]
    assert made.progress.calls == []
    message.done()
    assert made.progress.calls == [("inference", "0a", 1, True)]


def test_nothing_there_is_none_after_the_timeout() -> None:
    assert Input().queue.get(0.01) is None


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"\xff\xfe{", b"[]", b"{}", body(1)[:-5], body(1, schema="vigie.frames/1"),
        body(1, schema="vigie.inputspec/2"),
        body(1, schema="x"), body(1, module="../up"), body(1, boot="xyz"), body(0), body(1 << 48),
        body(700_000_000_000_000_000), body(1).replace(b"[4,4]", b'"4"'),
    ],
    ids=["empty", "not utf-8", "a list", "no members", "torn", "another schema", "a newer version", "no version",
         "a path as module", "boot", "sent", "sent too large", "sent that none can have sent", "item"],
)  # fmt: skip
def test_a_message_that_does_not_decode_is_counted_and_dropped_and_the_next_one_comes(bad: bytes) -> None:
    made = Input()
    made.put(bad)
    made.put(body(1, module="other"))
    message = made.queue.get(5.0)
    assert message is not None
    assert message.envelope.module == "other"
    assert made.count("vigie_messages_rejected_total") == 1


def test_a_refused_message_still_counts_as_processed_for_its_sender() -> None:
    made = Input()
    made.put(body(7).replace(b"[4,4]", b'"4"'))
    assert made.queue.get(0.0) is None
    assert made.progress.calls == [("inference", "0a", 7, False)]


def test_the_version_before_is_read() -> None:
    made = Input()
    made.queue._schema = type(INPUT_SPEC)("vigie.inputspec", 2)
    made.queue._wire_schema = "vigie.inputspec/2"
    made.put(body(1))
    assert made.queue.get(1.0) is not None


def test_a_full_input_drops_its_oldest_message_and_counts_it() -> None:
    made = Input(capacity=2)
    for sent in (1, 2, 3):
        made.put(body(sent))
    first = made.queue.get(5.0)
    assert first is not None
    assert first.envelope.sent == 2
    assert made.count('vigie_items_dropped_total{camera="",reason="input_full"}') == 1


def test_a_repeated_message_asks_for_credit_again_but_is_not_given_again() -> None:
    made = Input()
    made.put(body(1), credit="1")
    message = made.queue.get(1.0)
    assert message is not None
    message.done()
    made.put(body(1), credit="1")
    assert made.queue.get(0.0) is None
    assert made.progress.calls[-1] == ("inference", "0a", 0, True)
    assert made.count("vigie_messages_duplicate_total") == 1


def of_cameras(sent: int, *cameras: str) -> bytes:
    """A message with an item of each camera, the first on its lane."""
    items = [InputSpec(camera, (4, 4), "stretch") for camera in cameras]
    return msgspec.json.encode(Envelope("vigie.inputspec/1", "preprocess", "0a", sent, items, after=0))


def came(made: Input) -> list[tuple[int, list[str]]]:
    """Number and cameras of each message, acknowledged as it comes."""
    found = []
    while (message := made.queue.get(0.1)) is not None:
        found.append((message.envelope.sent, [item.version for item in message.items]))
        message.done()
    return found


def test_what_a_sender_gave_up_on_one_lane_is_dropped_when_newer_of_its_camera_came_by_the_other() -> None:
    made = Input(order_of=lambda item: item.version)
    made.put(of_cameras(7, "dock"), lane=Lane.DOORBELL)
    made.put(of_cameras(8, "dock"), lane=Lane.DOORBELL)
    made.put(of_cameras(5, "dock"))
    made.put(of_cameras(6, "yard", "dock"))
    made.put(of_cameras(9, "dock"))
    assert came(made) == [(7, ["dock"]), (8, ["dock"]), (6, ["yard"]), (9, ["dock"])]
    assert sorted(sent for _, _, sent, _ in made.progress.calls) == [5, 6, 7, 8, 9], "its sender is told of all"
    assert made.count("vigie_messages_duplicate_total") == 2


def test_late_items_without_an_order_are_passed_on() -> None:
    made = Input(order_of=lambda item: None if item.version == "trial" else item.version)
    made.put(of_cameras(7, "dock", "trial"), lane=Lane.DOORBELL)
    made.put(of_cameras(5, "trial", "dock"))
    assert came(made) == [(7, ["dock", "trial"]), (5, ["trial"])]
    unordered = Input()
    unordered.put(of_cameras(7, "dock"), lane=Lane.DOORBELL)
    unordered.put(of_cameras(5, "dock"))
    assert came(unordered) == [(7, ["dock"]), (5, ["dock"])]
