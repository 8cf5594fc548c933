"""A real container registry: Debian's docker-registry, as a process on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("docker-registry")
USER = "line:line-7"
# bcrypt of "line-7", cost 5.
_HTPASSWD = "line:$2b$05$abcdefghijklmnopqrstuuKaE/JXYdLycQwKyorSucMMrVpWiw5j6\n"


@contextmanager
def registry(folder: Path, *, with_password: bool = False) -> Iterator[str]:
    """Its ``host:port``; blobs lie under ``folder/data``."""
    if PROGRAM is None:
        pytest.skip("docker-registry is not installed (.ci/debian-packages)")
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder / 'data'}\nhttp:\n  addr: {address}\n"
    if with_password:
        (folder / "htpasswd").write_text(_HTPASSWD)
        config += f"auth:\n  htpasswd:\n    realm: vigie\n    path: {folder / 'htpasswd'}\n"
    (folder / "config.yml").write_text(config)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(address, process, folder / "log")
        yield address
    finally:
        process.kill()
        process.wait(10)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no registry at {address}")
