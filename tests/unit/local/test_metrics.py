from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from vigie_devkit.local.metrics import MetricSample, MetricTotals, fetch_metrics, parse_exposition

TEXT = """# HELP vigie_items_dropped_total Frames dropped.
# TYPE vigie_items_dropped_total counter
vigie_items_dropped_total{camera="dock",reason="consumer_behind"} 3.0
vigie_items_dropped_total{camera="yard",reason="consumer_behind"} 4.0
vigie_items_dropped_total{camera="yard",reason="ring \\"full\\""} 1e0
vigie_hub_connected 1.0
vigie_model_trial_agreement_ratio NaN
vigie_build_info{path="C:\\\\new"} 1.0
"""


def counted(value: float, name: str = "vigie_frames_captured_total") -> list[MetricSample]:
    return [MetricSample(name, (("camera", "dock"),), value)]


def test_the_text_format_is_read_with_labels_and_escapes() -> None:
    samples = list(parse_exposition(TEXT))
    assert len(samples) == 6
    assert samples[0] == MetricSample(
        "vigie_items_dropped_total", (("camera", "dock"), ("reason", "consumer_behind")), 3.0
    )
    assert samples[2].label("reason") == 'ring "full"'
    assert samples[5].label("path") == "C:\\new"


def test_what_is_not_the_text_format_is_an_error_and_not_an_empty_answer() -> None:
    with pytest.raises(ValueError, match="sample"):
        list(parse_exposition("no sample at all\n"))


def test_counts_are_summed_by_label_and_absent_numbers_are_left_out() -> None:
    tally = MetricTotals()
    tally.add("camera", 1, parse_exposition(TEXT))
    assert tally.by("vigie_items_dropped_total", "reason") == {"consumer_behind": 7, 'ring "full"': 1}
    assert tally.total("vigie_items_dropped_total", "camera") == 8
    assert tally.total("vigie_items_dropped_total", "sync") == 0
    assert list(tally.values("vigie_model_trial_agreement_ratio")) == []


def test_counters_go_on_after_a_restart_and_gauges_do_not() -> None:
    tally = MetricTotals()
    tally.add("camera", 1, [*counted(100), *counted(1, "vigie_hub_connected")])
    tally.add("camera", 1, [*counted(150), *counted(1, "vigie_hub_connected")])
    tally.add("camera", 2, [*counted(10), *counted(0, "vigie_hub_connected")])
    tally.add("camera", 3, counted(5))
    assert tally.total("vigie_frames_captured_total") == 165
    assert tally.total("vigie_hub_connected") == 0


def test_a_label_only_the_former_incarnation_knew_still_counts() -> None:
    tally = MetricTotals()
    tally.add("sync", 1, [MetricSample("vigie_detections_committed_total", (("label", "bottle"),), 7)])
    tally.add("sync", 2, [])
    assert tally.by("vigie_detections_committed_total", "label") == {"bottle": 7}


async def test_metrics_are_fetched_from_where_the_module_says(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nvigie_hub_connected 1\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "http.json").write_text(json.dumps({"host": "0.0.0.0", "port": port, "pid": os.getpid()}))
        assert await fetch_metrics(tmp_path, os.getpid()) == [MetricSample("vigie_hub_connected", (), 1.0)]
        assert await fetch_metrics(tmp_path, os.getpid() + 1) is None, "an endpoint of a former incarnation was asked"


async def test_a_module_that_hangs_costs_a_bounded_time(tmp_path: Path) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (tmp_path / "http.json").write_text(json.dumps({"host": "127.0.0.1", "port": port, "pid": 7}))
    assert await fetch_metrics(tmp_path, 7, timeout_s=0.05) is None
    server.close()


async def test_no_endpoint_file_is_no_answer(tmp_path: Path) -> None:
    assert await fetch_metrics(tmp_path, 7) is None
    (tmp_path / "http.json").write_text("{half a fi")
    assert await fetch_metrics(tmp_path, 7) is None
