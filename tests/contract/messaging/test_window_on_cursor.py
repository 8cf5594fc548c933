"""Back-pressure against a hub that acknowledges at once and delivers slowly, one at a time: the real hub's shape."""

from __future__ import annotations

import threading
from pathlib import Path

from support.mean_hub import MeanHub, until
from support.module_a import module
from vigie.contracts.inputspec import InputSpec
from vigie.messaging.output import Output
from vigie.messaging.progress import open_progress

CAMERAS = 8
ITEMS_A_CAMERA = 60


class StoredIsProcessed:
    """The control: takes the hub's acknowledgement for the consumer's progress."""

    def __init__(self, hub: MeanHub) -> None:
        self._hub = hub

    def position(self, _boot: str) -> int:
        return len(self._hub.published)


async def run(hub: MeanHub, folder: Path, *, control: bool) -> tuple[int, int]:
    """Largest backlog in the hub, and how many items arrived (the newest of each camera at least)."""
    hub.delivery_s = 0.03
    latest: dict[str, int] = {}
    arrived = 0
    async with module(folder) as service:
        inputs = service.input("i", InputSpec, capacity=1000)
        output: Output[InputSpec] = service.output("o", ("a", "i"), item_type=InputSpec)
        if control:
            output._progress = StoredIsProcessed(hub)

        def consume(stop: threading.Event) -> None:
            nonlocal arrived
            while not stop.is_set():
                if (message := inputs.get(0.1)) is not None:
                    for item in message.items:
                        latest[item.version] = item.pad_value
                        arrived += 1
                    message.done()

        def produce(stop: threading.Event) -> None:
            for number in range(ITEMS_A_CAMERA):
                for camera in range(CAMERAS):
                    item = InputSpec(str(camera), (4, 4), "stretch", number)
                    output.offer(item, key=str(camera), keep=False)
                stop.wait(0.02)

        await service.start()
        await until(lambda: service.hub.connected)
        service.thread("consumer", consume)
        service.thread("producer", produce)
        largest = 0

        def newest_arrived() -> bool:
            nonlocal largest
            largest = max(largest, len(hub.sessions["a"].waiting))
            return len(latest) == CAMERAS and all(number == ITEMS_A_CAMERA - 1 for number in latest.values())

        await until(newest_arrived, 60.0)
    return largest, arrived


async def test_the_backlog_in_the_hub_stays_within_the_window(hub: MeanHub, tmp_path: Path) -> None:
    largest, _ = await run(hub, tmp_path, control=False)
    assert largest <= 2


async def test_control_a_window_on_the_acknowledgement_lets_the_backlog_grow(hub: MeanHub, tmp_path: Path) -> None:
    largest, _ = await run(hub, tmp_path, control=True)
    assert largest > 10


async def test_where_no_frame_folder_is_shared_credit_messages_open_the_window(hub: MeanHub, tmp_path: Path) -> None:
    hub.routes["a", "credit"] = ("a", "credit")
    received = 0
    async with module(tmp_path) as service:
        inputs = service.input("i", InputSpec)
        output: Output[InputSpec] = service.output("o", ("a", "i"), item_type=InputSpec)
        # As from another host: the sender looks into a folder where this consumer writes nothing.
        output._progress = open_progress((tmp_path / "elsewhere",), "a", ("a", "i"))

        def consume(stop: threading.Event) -> None:
            nonlocal received
            while not stop.is_set():
                if (message := inputs.get(0.1)) is not None:
                    received += len(message.items)
                    message.done()

        await service.start()
        service.thread("consumer", consume)
        for number in range(20):
            output.offer(InputSpec(str(number), (4, 4), "stretch"), key="k", keep=True)
            assert await_room(output)
        await until(lambda: received == 20 and output.outstanding == 0)
        sent = [output_name for _, output_name, _ in hub.published]
        assert "credit" in sent


def await_room(output: Output[InputSpec]) -> bool:
    return output.wait_for_room(threading.Event(), 10.0)
