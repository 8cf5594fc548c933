"""Drain, watch, summary and exit code: pure functions of what the modules count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.exposition import delays, sample
from vigie_devkit.cli import COMMANDS
from vigie_devkit.commands.up import next_steps
from vigie_devkit.local.camera_cells import camera_states
from vigie_devkit.local.drain import CAPTURE_ENDS_WITHIN_S, NO_PROGRESS_S, Drain
from vigie_devkit.local.errors import Exit, NoModelError, SourceError
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.rates import Rates
from vigie_devkit.local.session import verdict
from vigie_devkit.local.sources import CameraSource
from vigie_devkit.local.status import clock
from vigie_devkit.local.summary import describe, flowed, summarise
from vigie_devkit.local.watch import LIVE_OPENS_WITHIN_S, OWN_OPENS_WITHIN_S, Watch

FILE = CameraSource("dock", "/videos/dock.mp4", live=False)
SYNTHETIC = CameraSource("dock", "synthetic://conveyor", live=True)
BUNDLE = Path("/bundles/x")
RTSP = CameraSource("yard", "rtsp://u:${YARD}@h/s", live=True, host="h")


def tally_of(
    captured: int = 0,
    inferred: int = 0,
    committed: int = 0,
    upstream: int = 0,
    backlog: int = 0,
    dropped: int = 0,
    state: str = "streaming",
) -> MetricTotals:
    tally = MetricTotals()
    tally.add(
        "camera",
        1,
        [
            sample("vigie_frames_captured_total", captured, camera="dock"),
            sample("vigie_camera_state", 1, camera="dock", state=state),
            sample("vigie_camera_state", 0, camera="dock", state="other"),
            sample("vigie_items_dropped_total", dropped, camera="dock", reason="consumer_behind"),
        ],
    )
    tally.add("preprocess", 2, [sample("vigie_frames_preprocessed_total", captured - dropped, camera="dock")])
    tally.add(
        "inference",
        3,
        [
            sample("vigie_frames_inferred_total", inferred, camera="dock"),
            sample("vigie_runtime_info", 1, provider="CPUExecutionProvider", variant="fp32"),
        ],
    )
    tally.add(
        "sync",
        4,
        [
            sample("vigie_items_committed_total", committed),
            sample("vigie_upstream_messages_total", upstream),
            sample("vigie_ledger_backlog", backlog),
            sample("vigie_detections_committed_total", committed * 2, label="bottle"),
            *delays(),
        ],
    )
    return tally


DONE = {"captured": 400, "inferred": 398, "committed": 398, "upstream": 40, "dropped": 2}


def test_a_run_is_finished_when_all_is_accounted_for_and_stays_so() -> None:
    drain = Drain()
    looks = [drain.finished(tally_of(**DONE), now, all_running=True) for now in (0.0, 0.25, 0.5)]
    assert looks == [False, False, True]
    assert not drain.gave_up


@pytest.mark.parametrize("missing", [{"inferred": 397}, {"backlog": 1}], ids=["a frame on its way", "a backlog"])
def test_a_run_that_is_not_complete_waits_until_nothing_moves(missing: dict[str, int]) -> None:
    drain = Drain()
    tally = tally_of(**{**DONE, "committed": 390, **missing})
    assert not any(drain.finished(tally, now, all_running=True) for now in (0.0, 1.0, NO_PROGRESS_S - 0.1))
    assert drain.finished(tally, NO_PROGRESS_S, all_running=True)
    assert drain.gave_up


def test_a_run_whose_cameras_go_on_capturing_ends_and_says_so() -> None:
    drain = Drain()
    looks = [
        drain.finished(tally_of(**{**DONE, "captured": 400 + second}), float(second), all_running=True)
        for second in range(int(CAPTURE_ENDS_WITHIN_S) + 1)
    ]
    assert looks.index(True) == CAPTURE_ENDS_WITHIN_S
    assert drain.gave_up == "a camera goes on capturing although it was told to stop"


def test_a_run_that_lost_frames_on_its_way_does_not_end_with_success() -> None:
    assert verdict(tally_of(**DONE), None, "local") == (Exit.OK, None)
    code, complaint = verdict(tally_of(**DONE), "nothing moved any longer", "local")
    assert code == Exit.NO_FLOW
    assert complaint == ("nothing moved any longer; not every frame is accounted for; see ./vigie logs --run local")


def test_a_module_that_restarts_is_waited_for() -> None:
    drain = Drain()
    tally = tally_of(captured=400, inferred=100, committed=100)
    assert not drain.finished(tally, 0.0, all_running=True)
    assert not drain.finished(tally, 100.0, all_running=False)
    assert not drain.finished(tally, 101.0, all_running=True)


def test_the_summary_has_the_documented_members() -> None:
    summary = summarise(
        tally_of(**DONE),
        seconds=10.0,
        pss_bytes={"camera": 85_400_000},
        cpu_s={"camera": 1.234},
        rings_bytes=22_100_000,
    )
    assert summary.as_json() == {
        "frames_captured": 400,
        "frames_inferred": 398,
        "detections": 796,
        "by_class": {"bottle": 796},
        "upstream_messages": 40,
        "fps": 39.8,
        "latency_ms": {"p50": 14.2, "p95": 20.0},
        "dropped": {"consumer_behind": 2},
        "runtime": {"provider": "CPUExecutionProvider", "variant": "fp32"},
        "modules": {"camera": {"pss_mb": 85.4, "cpu_s": 1.23}},
        "rings_mb": 22.1,
        "models": {},
    }
    assert "398 inferred (39.8/s), latency p50 14.2 / p95 20 ms" in describe(summary)
    assert "latency" not in describe(replace(summary, latency_ms={"p50": None, "p95": None}))


def test_a_summary_of_nothing_is_all_zeros() -> None:
    summary = summarise(MetricTotals(), seconds=0.0, pss_bytes={}, cpu_s={}, rings_bytes=0)
    assert (summary.fps, summary.detections, summary.by_class, summary.dropped) == (0.0, 0, {}, {})
    assert summary.latency_ms == {"p50": None, "p95": None}


@pytest.mark.parametrize("lacking", ["captured", "inferred", "committed", "upstream"])
def test_it_flowed_only_if_every_stage_counted(lacking: str) -> None:
    assert flowed(tally_of(**DONE))
    counts = {**DONE, lacking: 0}
    if lacking == "inferred":
        counts["committed"] = 0
    assert not flowed(tally_of(**counts))


def test_what_sync_committed_was_inferred_even_if_inference_forgot_it() -> None:
    summary = summarise(
        tally_of(captured=400, inferred=90, committed=400), seconds=1, pss_bytes={}, cpu_s={}, rings_bytes=0
    )
    assert summary.frames_inferred == 400


def test_flow_is_timed_from_the_first_frame_captured_to_the_last_inferred() -> None:
    watch = Watch([FILE], BUNDLE)
    watch.look(tally_of(), 10.0)
    watch.look(tally_of(captured=10), 11.0)
    watch.look(tally_of(captured=20, inferred=20), 12.0)
    watch.look(tally_of(captured=20, inferred=20), 13.0)
    assert watch.first_captured_at == 10.5
    assert watch.seconds_of_flow == 1.5


def test_a_live_source_that_never_opens_is_given_up_after_its_time() -> None:
    watch = Watch([RTSP], BUNDLE)
    tally = MetricTotals()
    tally.add("camera", 1, [sample("vigie_camera_state", 1, camera="yard", state="connecting")])
    watch.look(tally, 100.0)
    watch.judge(tally, {}, 100.0 + LIVE_OPENS_WITHIN_S - 0.1)
    with pytest.raises(SourceError) as caught:
        watch.judge(tally, {}, 100.0 + LIVE_OPENS_WITHIN_S)
    assert str(caught.value).startswith("rtsp://u:${YARD}@h/s does not open")


def test_a_file_that_failed_is_given_up_at_once() -> None:
    watch = Watch([FILE], BUNDLE)
    tally = tally_of(state="failed")
    watch.look(tally, 0.0)
    with pytest.raises(SourceError, match=r"/videos/dock.mp4 does not open"):
        watch.judge(tally, {}, 0.1)


@pytest.mark.parametrize("source", [FILE, SYNTHETIC], ids=["file", "synthetic"])
def test_a_source_of_this_machine_that_has_not_failed_gets_longer_than_one_on_the_network(source: CameraSource) -> None:
    watch = Watch([source], BUNDLE)
    tally = tally_of(state="connecting")
    watch.look(tally, 0.0)
    watch.judge(tally, {}, LIVE_OPENS_WITHIN_S)
    watch.judge(tally, {}, OWN_OPENS_WITHIN_S - 0.1)
    with pytest.raises(SourceError, match="does not open"):
        watch.judge(tally, {}, OWN_OPENS_WITHIN_S)


def test_a_live_source_that_was_open_once_is_never_given_up() -> None:
    watch = Watch([RTSP], BUNDLE)
    tally = MetricTotals()
    tally.add("camera", 1, [sample("vigie_camera_state", 1, camera="yard", state="streaming")])
    watch.look(tally, 0.0)
    lost = MetricTotals()
    lost.add("camera", 1, [sample("vigie_camera_state", 1, camera="yard", state="failed")])
    watch.look(lost, 1.0)
    watch.judge(lost, {}, 1000.0)


def test_a_model_that_inference_refuses_ends_the_run_with_its_reason() -> None:
    twins = refused_model(str(BUNDLE))
    with pytest.raises(NoModelError, match=r"inference refuses the model: \$\.model\.path: no card\.yaml"):
        Watch([FILE], BUNDLE).judge(tally_of(), twins, 0.0)


def refused_model(path: str, **members: object) -> dict[str, dict[str, object]]:
    ack = {"ac": 400, "av": 3, "ad": "$.model.path: no card.yaml", **members}
    return {"inference": {"desired": {"model": {"path": path}}, "reported": {"model": ack}}}


@pytest.mark.parametrize(
    "twins",
    [
        refused_model("/elsewhere"),
        refused_model(str(BUNDLE), value={"path": str(BUNDLE)}),
        {"inference": {"desired": {}, "reported": {"classes": {"ac": 400, "av": 3, "ad": "$.classes[0]: no"}}}},
        {
            "camera": {
                "desired": {"cameras": {"dock": {"source": FILE.url}, "yard": {"source": "x"}}},
                "reported": {"cameras": {"value": {"dock": {}}, "ac": 400, "av": 3, "ad": "$.cameras.yard.source: no"}},
            }
        },
    ],
    ids=["another model", "the model is in force", "another property", "another camera"],
)
def test_a_refused_edit_of_the_twin_ends_no_run(twins: dict[str, dict[str, object]]) -> None:
    watch = Watch([FILE], BUNDLE)
    watch.look(tally_of(), 0.0)
    watch.judge(tally_of(), twins, 0.1)


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates()
    for second in range(20):
        rates.add(float(second), {"dock": second * 30 if second > 10 else 0})
    assert rates.per_second("dock") == pytest.approx(30.0)
    assert rates.per_second("nobody") == 0.0


def test_small_words() -> None:
    assert [clock(0), clock(59.9), clock(61), clock(3661)] == ["0:00", "0:59", "1:01", "1:01:01"]
    assert camera_states(tally_of(state="finished")) == {"dock": "finished"}


def test_what_to_do_next_fits_a_terminal_and_names_commands_that_exist() -> None:
    lines = next_steps("local")
    assert max(map(len, lines)) <= 80
    assert {line.split("./vigie ")[1].split()[0] for line in lines} <= set(COMMANDS)
    assert "--run yard" in next_steps("yard")[0]


def test_one_message_is_one() -> None:
    assert "1 message\n" in describe(
        summarise(tally_of(captured=1, upstream=1), seconds=1, pss_bytes={}, cpu_s={}, rings_bytes=0)
    )
