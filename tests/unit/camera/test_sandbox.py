"""A decoder that a stream has taken over, in the real sandbox: what it tries, and what it gets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.camera_module import camera_module, make_video, until
from vigie.sandbox.landlock import landlock_version
from vigie.sandbox.syscalls import NUMBERS, X86_64
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.sandbox import readable, tcp_ports
from vigie_camera.decode.wire import Task

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
HOSTILE = Path(__file__).resolve().parents[2] / "support" / "hostile_decoder.py"
needs_landlock = pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")


def task(address: str, kind: str = "video") -> Task:
    return Task("dock", kind, address, VideoOptions(live="://" in address), "live")


def try_all(task: Task, **tried: object) -> dict[str, str]:
    """What a hostile decoder of ``task`` gets for each of its acts: an errno's name, or "done"."""
    given = msgspec.json.encode(task).decode()
    done = subprocess.run(
        [sys.executable, HOSTILE, given, json.dumps(tried)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir(mode=0o700)
    file = tmp_path / "secrets" / "dock_9"
    file.write_text("swordfish")
    return file


def test_a_hostile_decoder_starts_nothing_and_reaches_neither_kernel_nor_other_processes(
    tmp_path: Path, secrets: Path
) -> None:
    video = make_video(tmp_path / "a.avi", frames=1)
    got = try_all(task(str(video)), secret=str(secrets), beside=str(tmp_path / "new"), parent=os.getpid())
    assert "seccomp" in got.pop("sandbox")
    # It can still do its work.
    assert {name: got.pop(name) for name in ("read the source", "a thread")} == {
        "read the source": "done",
        "a thread": "done",
    }
    if landlock_version() == 0:
        for name in ("read a secret", "read the module's environment", "list the secrets"):
            del got[name]
    assert got == {
        "execve": "EPERM",
        "fork": "EPERM",
        "posix_spawn": "EPERM",
        "ptrace": "EPERM",
        "process_vm_readv": "EPERM",
        "mount": "EPERM",
        "unshare": "EPERM",
        "setns": "EPERM",
        "bpf": "EPERM",
        "keyctl": "EPERM",
        "userfaultfd": "EPERM",
        "perf_event_open": "EPERM",
        "kexec_load": "EPERM",
        "io_uring_setup": "EPERM",
        "pidfd_open": "EPERM",
        "signal the module": "EPERM",
        "write the source": "EACCES",
        "cut the source": "EPERM",
        "remove the source": "EPERM",
        "make a file": "EACCES",
        "open a unix socket": "EAFNOSUPPORT",
        "open a netlink socket": "EAFNOSUPPORT",
        "open an internet socket": "EAFNOSUPPORT",
        "be dumpable": "EPERM",
        "raise a limit": "EPERM",
        **(
            {}
            if landlock_version() == 0
            else {"read a secret": "EACCES", "list the secrets": "EACCES", "read the module's environment": "EACCES"}
        ),
    }


@pytest.mark.skipif(landlock_version() < 4, reason="this kernel cannot bound TCP (Linux 6.7)")
def test_a_hostile_decoder_of_a_network_camera_calls_its_own_camera_s_port_only(secrets: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as camera, socket.create_server(("127.0.0.1", 0)) as other:
        port, elsewhere = camera.getsockname()[1], other.getsockname()[1]
        got = try_all(task(f"rtsp://127.0.0.1:{port}/a"), connect=[port, elsewhere], secret=str(secrets))
    assert got[f"connect to {port}"] == "done"
    assert got[f"connect to {elsewhere}"] == "EACCES"
    assert got["open an internet socket"] == "done"
    assert got["open a unix socket"] == "EAFNOSUPPORT"
    assert got["read a secret"] == "EACCES"


@needs_landlock
def test_a_link_in_a_folder_of_pictures_leads_to_its_picture_and_to_nothing_beside_it(
    tmp_path: Path, secrets: Path
) -> None:
    album, pool = tmp_path / "album", tmp_path / "pool"
    album.mkdir()
    pool.mkdir()
    (pool / "one.jpg").write_bytes(b"one")
    (pool / "two.jpg").write_bytes(b"two")
    (album / "a.jpg").symlink_to(pool / "one.jpg")
    for address in (str(album), str(album / "*.jpg")):
        reads = [str(album / "a.jpg"), str(pool / "one.jpg"), str(pool / "two.jpg")]
        got = try_all(task(address), reads=reads, secret=str(secrets))
        assert [got[f"read {path}"] for path in reads] == ["done", "done", "EACCES"]
        assert got["read a secret"] == "EACCES"


@pytest.mark.parametrize("address", ["/", "/*.jpg", "/e*/shadow"])
def test_no_source_opens_all_files_of_the_device(address: str) -> None:
    assert Path("/") not in set(readable(task(address)))


@pytest.mark.parametrize(
    ("address", "kind", "ports"),
    [
        ("rtsp://10.1.1.1/a", "video", (554, 53)),
        ("rtsps://cam.example:7441/a", "video", (7441, 53)),
        ("http://10.1.1.1/a.mjpg", "web", None),
        ("/video/a.mp4", "video", ()),
        ("synthetic://conveyor", "synthetic", ()),
    ],
)
def test_where_a_decoder_may_connect_to_follows_from_its_source(address: str, kind: str, ports: Any) -> None:
    assert tcp_ports(task(address, kind)) == ports


async def test_the_module_says_which_measures_hold_its_decoders_and_the_kernel_says_the_same(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": "synthetic://conveyor?size=64x64&fps=20"})
        await until(lambda: module.consumer.items, "frames")
        await until(lambda: module.state("belt").get("sandbox"), "the report")
        said = module.state("belt")["sandbox"].split(", ")
        pid = module.cameras.find("belt").decoder_pid
        status = Path(f"/proc/{pid}/status").read_text()
        assert ("Seccomp:\t2" in status) == ("seccomp" in said)
        assert "NoNewPrivs:\t1" in status
        assert ("landlock" in said) == (landlock_version() > 0)
        for measure in ("seccomp", "landlock"):
            shown = module.metric(f'vigie_camera_sandbox{{camera="belt",measure="{measure}"}}')
            assert shown == (1 if measure in said else 0)


def test_the_numbers_of_this_machine_are_the_kernel_s_own() -> None:
    """Against the headers, where they are installed."""
    headers = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not headers.exists():
        pytest.skip("needs the kernel's headers (linux-libc-dev)")
    named = dict(line.split()[1:3] for line in headers.read_text().splitlines() if line.startswith("#define __NR_"))
    column = (X86_64,).index(X86_64)
    for name, pair in NUMBERS.items():
        found = named.get(f"__NR_{name}")
        assert found is None or int(found) == pair[column], name
