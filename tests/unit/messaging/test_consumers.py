"""A consumer that processes nothing is told of by its sender, by log, metric and /readyz."""

from __future__ import annotations

import time
from pathlib import Path

from vigie.contracts.envelope import INPUT_SPEC
from vigie.contracts.inputspec import InputSpec
from vigie.frames import CursorWriter
from vigie.health import Health
from vigie.messaging.consumers import Consumers
from vigie.messaging.output import Output
from vigie.messaging.output_settings import OutputSettings
from vigie.messaging.progress import open_progress
from vigie.messaging.send_queue import SendQueue
from vigie.metrics import Metrics

BOOT = "0b"
WAITING = 'vigie_output_without_progress_seconds{consumer="sync/detections",output="specs"}'


def test_a_consumer_without_progress_is_told_of_until_it_moves_again(tmp_path: Path) -> None:
    metrics, health, outbox = Metrics(), Health(), SendQueue()
    output: Output[InputSpec] = Output(
        OutputSettings("specs", INPUT_SPEC), module_id="a", boot=BOOT, condition=outbox.condition, metrics=metrics,
        progress=open_progress((tmp_path,), "a", ("sync", "detections")),
    )  # fmt: skip
    watch = Consumers({("sync", "detections"): output}, metrics, health, told_after_s=0.2)
    cursor = CursorWriter.open(tmp_path, sender="a", output="detections", consumer="sync")

    def look_after(seconds: float) -> None:
        time.sleep(seconds)  # what is measured is the time that passes without progress
        watch.look()

    watch.look()
    look_after(0.3)
    assert health.notes() == {}, "nothing waits: a consumer that has nothing to do is well"
    output.offer(InputSpec("1", (4, 4), "stretch"), key="c", keep=True)
    with outbox.condition:
        flight = output.next_flight(time.monotonic())
        assert flight is not None
        output.finished(flight, time.monotonic(), acknowledged=True)
    watch.look()
    look_after(0.3)
    assert "sync/detections has processed nothing" in health.notes()["consumer.sync/detections"]
    assert metrics.values()[WAITING] >= 0.2
    cursor.advance(BOOT, 1)
    watch.look()
    assert health.notes() == {}
    assert metrics.values()[WAITING] == 0
    cursor.close()
