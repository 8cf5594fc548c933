"""The health check of a container ends a module that stays stalled; the next start tells of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from vigie import container_health, health_restarts
from vigie.container_health import TRIES, bad_in_a_row, start_of
from vigie.health import Health
from vigie.metrics import Metrics

# A module whose worker stops at once: its watchdog's promise is a hundredth of a second.
STALLS = """
import asyncio, pathlib, sys
from vigie.config.environment import ModuleEnvironment
from vigie.endpoints import serve_endpoints
from vigie.health import Health
from vigie.metrics import Metrics
from vigie.process import run_module

async def main(env):
    health = Health()
    async with serve_endpoints(("127.0.0.1", 0), Metrics(), health, pathlib.Path(sys.argv[1])):
        print("well", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        health.watch("worker", 0.01)
        await asyncio.sleep(0.1)
        print("stalled", flush=True)
        await asyncio.sleep(3600)

raise SystemExit(run_module("camera", main))
"""


def check(state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", container_health.__file__],
        env={"VIGIE_STATE": str(state)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_a_module_that_stays_stalled_is_ended_by_the_check_and_its_next_start_tells_why(tmp_path: Path) -> None:
    module = subprocess.Popen(
        [sys.executable, "-c", STALLS, str(tmp_path)],
        env={**os.environ, "VIGIE_STATE": str(tmp_path), "VIGIE_FRAMES": str(tmp_path), "IOTEDGE_DEVICEID": "d"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert module.stdout is not None
        assert module.stdin is not None
        assert module.stdout.readline() == "well\n", module.communicate(timeout=10)
        assert check(tmp_path).returncode == 0
        module.stdin.write("\n")
        module.stdin.flush()
        assert module.stdout.readline() == "stalled\n"
        for _ in range(TRIES - 1):
            assert check(tmp_path).returncode == 1
            assert module.poll() is None
        last = check(tmp_path)
        assert (last.returncode, last.stderr) == (1, "")
        assert "ending the module" in last.stdout
        assert module.wait(30) == 0
    finally:
        module.kill()
        module.communicate()
    metrics, health = Metrics(), Health()
    health_restarts.tell(tmp_path, metrics, health)
    assert metrics.values()["vigie_health_restarts"] == 1
    assert "no progress" in health.notes()["restarted"]
    told = health_restarts.read(tmp_path)
    assert told is not None
    assert (told.by, told.told) == ("health check", True)


# Like a module: its endpoint's file names it, its socket answers, and SIGTERM reaches a thread. It sees no SIGSTOP.
ANSWERS = """
import http.server, json, os, pathlib, signal, sys, threading
class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Well)
where = {"host": "127.0.0.1", "port": server.server_address[1], "pid": os.getpid()}
pathlib.Path(sys.argv[1], "http.json").write_text(json.dumps(where))
threading.Thread(target=server.serve_forever, daemon=True).start()
print("well", flush=True)
signal.sigwait({signal.SIGTERM})
"""


def test_a_module_that_stands_still_is_ended_too_for_sigterm_alone_would_wait_with_it(tmp_path: Path) -> None:
    module = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n" + ANSWERS,
         str(tmp_path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert module.stdout is not None
        assert module.stdout.readline() == "well\n"
        assert check(tmp_path).returncode == 0
        os.kill(module.pid, signal.SIGSTOP)
        outputs = [check(tmp_path).stdout for _ in range(TRIES)]
        assert "ending the module" not in "".join(outputs[:-1])
        assert "ending the module" in outputs[-1]
        assert module.wait(10) == 0
    finally:
        module.kill()
        module.communicate()


def test_a_module_that_does_not_end_is_told_again(tmp_path: Path) -> None:
    module = subprocess.Popen(
        [sys.executable, "-c", ANSWERS.replace("sigwait({signal.SIGTERM})", "pthread_sigmask(0, {15}); input()"),
         str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert module.stdout is not None
        assert module.stdout.readline() == "well\n"
        assert check(tmp_path).returncode == 0
        told = json.loads((tmp_path / "http.json").read_text())
        (tmp_path / "http.json").write_text(json.dumps({**told, "port": 1}))  # nobody answers there
        endings = ["ending the module" in check(tmp_path).stdout for _ in range(2 * TRIES)]
        assert endings == [*[False] * (TRIES - 1), True] * 2
    finally:
        module.kill()
        module.communicate()


def test_what_is_damaged_in_the_folder_costs_the_count_and_not_the_start(tmp_path: Path) -> None:
    for content in (b"", b"\xff\xfe", b"[]", b'{"count": "many"}'):
        (tmp_path / health_restarts.FILE).write_bytes(content)
        metrics, health = Metrics(), Health()
        health_restarts.tell(tmp_path, metrics, health)
        assert health.notes() == {}
        assert health_restarts.record(tmp_path, reason="r", by="b", at="t").count == 1


def test_a_row_of_bad_answers_is_of_one_process_and_without_a_pause() -> None:
    def row(*answers: tuple[str, float, bool]) -> int:
        before: dict[str, object] = {}
        for start, at, well in answers:
            before = json.loads(json.dumps(bad_in_a_row(before, start, at, well=well)))
        return int(str(before["bad"]))

    one, next_one = "1 4711", "1 9000"  # pid and ticks: in a container only the ticks tell two starts apart
    assert row((one, 0, True), (one, 30, False), (one, 60, False)) == 2
    assert row((one, 0, True), (one, 30, False), (one, 60, True), (one, 90, False)) == 1
    assert row((one, 0, True), (one, 30, False), (one, 3600, False)) == 1, "the machine slept"
    assert row((one, 0, True), (one, 30, False), (next_one, 60, False)) == 0, "another process, which starts"
    assert row((one, 0, False), (one, 30, False), (one, 60, False)) == 0, "it has never answered: it starts"


def test_two_processes_are_two_starts_and_one_that_is_gone_still_has_its_pid() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert start_of(child.pid) == start_of(child.pid) != start_of(os.getpid())
        assert start_of(child.pid).split()[0] == str(child.pid)
    finally:
        child.kill()
        child.wait(10)
    assert start_of(child.pid) == str(child.pid)
