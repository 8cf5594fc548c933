"""A decoder's process that ends: its camera is opened again at once, others do not notice, repeated crashes wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.camera_module import CameraModule, camera_module, until

SCENE = {"source": "synthetic://conveyor?size=160x120&fps=20"}


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as entries:
        yield entries


def failures(log: list[dict[str, Any]], camera: str) -> list[dict[str, Any]]:
    return [entry for entry in log if entry["event"] == "camera_failed" and entry["camera"] == camera]


async def crash(module: CameraModule, log: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """End the decoder of camera ``one`` by a signal. Returns: what the module said of it."""
    before = len(failures(log, "one"))
    pid = await until(lambda: module.cameras.find("one").decoder_pid, "a decoder")
    os.kill(pid, number)
    await until(lambda: len(failures(log, "one")) > before, "noticed")
    return failures(log, "one")[before]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "memory fault"])
async def test_a_crashed_decoder_starts_again_at_once_and_no_other_camera_notices(
    tmp_path: Path, log: list[dict[str, Any]], number: int
) -> None:
    async with camera_module(tmp_path) as module:
        module.set(one=SCENE, two=SCENE)
        await until(lambda: module.consumer.of("one") and module.consumer.of("two"), "frames of both")
        neighbour = module.cameras.find("two").decoder_pid
        said = await crash(module, log, number)
        assert said["retry_s"] == 0
        assert said["cause"] == "decode"
        assert said["reason"] == f"the decoder's process was killed by signal {int(number)}; it starts again"
        seen = {name: len(module.consumer.of(name)) for name in ("one", "two")}
        await until(lambda: all(len(module.consumer.of(name)) > seen[name] + 3 for name in seen), "frames of both")
        # Well again, and the twin says so; the failure stays counted.
        await until(lambda: module.state("one").get("state") == "streaming", "reported")
        assert module.state("one").get("cause") is None
        assert module.metric('vigie_camera_failures_total{camera="one",cause="decode"}') == 1
        assert module.metric('vigie_camera_openings_total{camera="one"}') == 2
        # Not a frame, not an opening, not a word of the other one was lost.
        assert module.cameras.find("two").decoder_pid == neighbour
        assert module.metric('vigie_camera_openings_total{camera="two"}') == 1
        assert failures(log, "two") == []


async def test_a_stream_that_crashes_each_decoder_waits_longer_from_the_second_crash_in_a_row(
    tmp_path: Path, log: list[dict[str, Any]]
) -> None:
    async with camera_module(tmp_path) as module:
        module.set(one=SCENE)
        await until(lambda: module.consumer.of("one"), "frames")
        pauses = [(await crash(module, log, signal.SIGKILL))["retry_s"] for _ in range(3)]
        assert pauses[0] == 0
        assert 0.37 <= pauses[1] <= 0.63
        assert 0.75 <= pauses[2] <= 1.25
