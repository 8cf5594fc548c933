"""`up` from start to end: what it leaves behind, however it ends. Nothing is the only right answer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import models
from support.busy import slowdown
from support.product import Home, Running

SOURCE = "synthetic://conveyor?seed=5&fps=10&size=160x120"
SUMMARY_MEMBERS = {
    "frames_captured",
    "frames_inferred",
    "detections",
    "by_class",
    "upstream_messages",
    "fps",
    "latency_ms",
    "dropped",
    "runtime",
    "modules",
    "rings_mb",
    "models",
}
# What `up` may take to stop, and a margin for a machine that does other things as well.
STOPS_WITHIN_S = 8.0
BUSY = 1.5  # times that work takes longer than alone


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(models.save(models.yolox(), tmp_path))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def processes_of(home: Home) -> dict[int, str]:
    """Living processes that belong to runs of this home, by their command line or environment."""
    found: dict[int, str] = {}
    mark = os.fsencode(home.path / "runs")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if mark in command or mark in (folder / "environ").read_bytes():
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def frames_folder(run: Running) -> Path:
    return Path(json.loads((run.folder / "run.json").read_text())["frames"])


def supervised_pid(run: Running, module: str) -> int:
    return int(json.loads((run.folder / "run.json").read_text())["processes"][module]["pid"])


def http_pid(run: Running, module: str) -> int | None:
    """None while it serves nothing."""
    try:
        return run.module_pid(module)
    except FileNotFoundError:
        return None


def workload_folder(run: Running) -> Path:
    return Path(run.hub()["workload_dir"])


def flows(run: Running) -> bool:
    return run.upstream_count() > 0


def nothing_is_left(home: Home, *folders: Path) -> None:
    # A process that measures ends when its lifeline does, which on a busy machine takes its time.
    deadline = time.monotonic() + 15
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(home) == {}
    for folder in folders:
        assert not folder.exists(), f"{folder} is left, with {list(folder.rglob('*'))}"
    runs = home.path / "runs"
    assert not list(runs.glob("*/run.json"))
    assert not list(runs.glob("*/hub/hub.json"))
    assert not list(runs.glob("*/modules/*/http.json"))


@pytest.mark.timeout(180)
def test_frames_limit_ends_the_run_with_one_summary_and_nothing_behind(home: Home, model: str) -> None:
    done = home.up(SOURCE, "--model", model, "--frames", "12", "--pace", "max")
    assert done.code == 0, done.stderr
    summary = done.summary
    assert set(summary) == SUMMARY_MEMBERS
    assert summary["frames_captured"] == summary["frames_inferred"] == 12
    assert summary["dropped"] == {}
    assert summary["runtime"] == {"provider": "CPUExecutionProvider", "variant": "fp32"}
    assert set(summary["modules"]) == {"hub", "camera", "preprocess", "inference", "sync"}
    assert all(cost["pss_mb"] > 5 and cost["cpu_s"] > 0.05 for cost in summary["modules"].values())
    assert summary["rings_mb"] > 0
    assert len(home.items()) == 12
    nothing_is_left(home)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_stops_everything_in_time_also_with_a_hung_module(home: Home, model: str, how: signal.Signals) -> None:
    with home.running(SOURCE, "--model", model, "--json") as run:
        run.wait_until(lambda: flows(run), timeout_s=90, what="detections upstream")
        frames, sockets = frames_folder(run), workload_folder(run)
        if how == signal.SIGTERM:
            os.kill(run.module_pid("inference"), signal.SIGSTOP)
        asked = time.monotonic()
        run.process.send_signal(how)
        assert run.process.wait(60) == 0, run.tail()
        took = time.monotonic() - asked
    busy = slowdown()
    # The deadline is by the clock; what follows it is work: ending processes, removing what they left, the summary.
    assert took <= STOPS_WITHIN_S + 2 * busy, f"stopping took {took:.1f} s, others slow work down {busy:.1f} times"
    killed = re.search(r"vigie: (.*) did not end when asked", run.tail())
    if how == signal.SIGINT:
        # Each has about a second by the clock: where others hold the CPUs, one that is well may be ended too.
        assert killed is None or busy > BUSY, killed[0]
    else:
        assert killed is not None
        assert "inference" in killed[1]
    nothing_is_left(home, frames, sockets)


@pytest.mark.timeout(240)
def test_edge_agents_methods_reach_the_processes_of_a_run(home: Home, model: str) -> None:
    with home.running(SOURCE, "--model", model) as run:
        run.wait_until(lambda: flows(run), timeout_s=90, what="detections upstream")
        asked = '{"schemaVersion": "1.0", "items": {"id": "^sync$", "filter": {"tail": 5}}}'
        done = home.run("method", "$edgeAgent", "GetModuleLogs", asked)
        assert done.code == 0, done.stderr
        (logs,) = json.loads(done.stdout)
        assert (logs["id"], len(logs["payload"].splitlines())) == ("sync", 5)
        before = supervised_pid(run, "sync")
        done = home.run("method", "$edgeAgent", "RestartModule", '{"schemaVersion": "1.0", "id": "sync"}')
        assert (done.code, done.stdout.strip()) == (0, "null"), done.stderr
        assert supervised_pid(run, "sync") != before
        run.wait_until(lambda: http_pid(run, "sync") not in {None, before}, timeout_s=60, what="sync ready again")


@pytest.mark.timeout(240)
def test_after_kill_9_no_orphan_lives_and_the_next_up_starts_cleanly(home: Home, model: str, tmp_path: Path) -> None:
    # A root of its own: every other `up` on this machine sweeps the usual one, too.
    root = str(tmp_path / "frames")
    with home.running(SOURCE, "--model", model, VIGIE_FRAMES=root) as run:
        run.wait_until(lambda: flows(run), timeout_s=90, what="detections upstream")
        frames, sockets = frames_folder(run), workload_folder(run)
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + 20
        while processes_of(home):
            assert time.monotonic() < deadline, processes_of(home)
            time.sleep(0.05)
        assert frames.exists(), "a killed up cannot have cleaned: this test would prove nothing"
    done = home.up(SOURCE, "--model", model, "--frames", "5", "--pace", "max", VIGIE_FRAMES=root)
    assert done.code == 0, done.stderr
    assert "cleaned up after a run that was killed: frames" in done.stderr
    nothing_is_left(home, frames, sockets)


@pytest.mark.timeout(240)
def test_two_runs_on_one_machine_do_not_disturb_each_other(home: Home, model: str) -> None:
    with home.running(SOURCE, "--model", model) as first:
        first.wait_until(lambda: flows(first), timeout_s=90, what="detections upstream")
        done = home.up(SOURCE, "--model", model, "--frames", "8", "--pace", "max")
        assert done.code == 0, done.stderr
        assert done.summary["frames_inferred"] == 8
        assert "run 'local-2'" in done.stderr
        assert first.process.poll() is None
        pids = {module: first.module_pid(module) for module in ("camera", "preprocess", "inference", "sync")}
        assert set(pids.values()) <= set(processes_of(home)), "a module of the first run was restarted or killed"
        before = first.upstream_count()
        first.wait_until(lambda: first.upstream_count() > before, timeout_s=30, what="the first run to go on")

        stopped = home.run("down")
        assert stopped.code == 0, stopped.stderr
        assert "run 'local' stopped" in stopped.stdout
        assert first.process.wait(20) == 0
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_an_rtsp_source_that_never_opens_ends_with_its_own_exit_code_and_hides_its_password(
    home: Home, model: str
) -> None:
    done = home.up("rtsp://viewer:hunter2@127.0.0.1:9/stream", "--model", model)
    assert done.code == 4, done.stderr
    assert "rtsp://viewer:${CAMERA_127_0_0_1_9_STREAM_PASSWORD}@127.0.0.1:9/stream does not open" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.summary["frames_captured"] == 0
    found = subprocess.run(["grep", "-rl", "hunter2", str(home.path)], capture_output=True, text=True, check=False)
    assert found.stdout == "", "the password is on disk after the run"
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_a_file_that_only_looks_like_a_video_is_one_sentence(home: Home, model: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    done = home.up(str(broken), "--model", model)
    assert done.code == 4, done.stderr
    assert f"{broken} does not open" in done.stderr
    assert "Traceback" not in done.stderr
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_seconds_ends_the_capture_and_what_was_captured_still_arrives(home: Home, model: str) -> None:
    done = home.up(SOURCE, "--model", model, "--seconds", "2")
    assert done.code == 0, done.stderr
    summary = done.summary
    assert 8 <= summary["frames_captured"] <= 60
    assert summary["frames_inferred"] + sum(summary["dropped"].values()) >= summary["frames_captured"]
    assert len(home.items()) == summary["frames_inferred"]


@pytest.mark.timeout(120)
def test_logs_and_clean_after_a_run(home: Home, model: str) -> None:
    assert home.up(SOURCE, "--model", model, "--frames", "3", "--pace", "max").code == 0
    logs = home.run("logs", "hub")
    assert logs.code == 0
    assert "hub_ready" in logs.stdout
    assert home.run("logs", "nobody").code == 2
    # Certificates and models are public; all else that a run writes is its user's alone, whatever the shell's umask.
    written = [home.path, *home.path.iterdir(), *(home.path / "runs").rglob("*")]
    assert [path for path in written if path.lstat().st_mode & 0o077 and path.suffix != ".pem"] == []
    refused = home.run("clean", "--keep-environment")
    assert refused.code == 2
    assert str(home.path / "runs") in refused.stdout
    assert (home.path / "runs").exists()
    agreed = home.run("clean", "--yes", "--keep-environment")
    assert agreed.code == 0, agreed.stderr
    assert not home.path.exists()
