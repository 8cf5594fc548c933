"""What a stranger may write into a module's log by way of its HTTP port: nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

from vigie import container_health
from vigie.endpoints import serve_endpoints
from vigie.health import Health
from vigie.metrics import Metrics

PROGRAM = """
import asyncio, pathlib, sys
from vigie.endpoints import serve_endpoints
from vigie.health import Health
from vigie.log import configure_logging, get_logger
from vigie.metrics import Metrics

async def ask(port, text):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await reader.readline()
    writer.close()
    return answer.decode().strip()

async def main():
    async with serve_endpoints(("127.0.0.1", 0), Metrics(), Health(), pathlib.Path(sys.argv[1])) as endpoint:
        print(await ask(endpoint.port, b"GET / HTTP/1.1\\r\\nAuthorization hunter2\\r\\n\\r\\n"))
        print(await ask(endpoint.port, b"NONSENSE hunter2\\r\\n\\r\\n"))
        print(await ask(endpoint.port, b"GET /healthz HTTP/1.0\\r\\n\\r\\n"))
    get_logger("end").error("this_is_the_end")

configure_logging("a", style="json")
asyncio.run(main())
"""


def test_a_malformed_request_is_answered_and_leaves_no_line_in_the_log(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert " 400 " in first
    assert " 400 " in second
    assert " 200 " in third
    assert "this_is_the_end" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "hunter2" not in done.stderr


async def test_a_folder_that_can_be_written_again_gets_the_file_by_which_the_module_is_found(tmp_path: Path) -> None:
    state, health = tmp_path / "state", Health()
    state.write_text("no folder")
    async with serve_endpoints(("127.0.0.1", 0), Metrics(), health, state, again_s=0.02) as endpoint:
        assert "cannot be written" in health.notes()["state"]
        state.unlink()
        async with asyncio.timeout(20):
            while health.notes():
                await asyncio.sleep(0.01)
        assert json.loads((state / "http.json").read_bytes())["port"] == endpoint.port
    assert not (state / "http.json").exists()


async def test_a_state_folder_that_cannot_be_written_does_not_keep_a_module_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    health = Health()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serve_endpoints(("127.0.0.1", port), Metrics(), health, tmp_path / "file/state") as endpoint:
        assert endpoint.port == port
        assert "cannot be written" in health.notes()["state"]
        # The container's health check finds it where the module was told to listen.
        well = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-I", "-S", "-B", container_health.__file__],
            env={"VIGIE_STATE": str(tmp_path / "nowhere"), "VIGIE_HTTP": f"127.0.0.1:{port}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (well.returncode, well.stderr) == (0, ""), well.stdout
