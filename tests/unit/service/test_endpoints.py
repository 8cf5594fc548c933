"""What a stranger may write into a module's log by way of its HTTP port: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
