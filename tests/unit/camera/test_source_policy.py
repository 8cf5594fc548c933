"""Which hosts and files a twin may name, and whose secret goes where."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.camera_module import camera_module, until
from vigie.errors import ConfigRefusedError, SecretRefusedError, SourceOpenError
from vigie.secrets import SecretStore
from vigie.source_url import read_network_source
from vigie_camera.config import CameraSettings
from vigie_camera.connect import ca_file, connection
from vigie_camera.decode.backend import tls_options
from vigie_camera.source_policy import SourcePolicy, read_policy
from vigie_camera.sources import plan_source

CANARY = "c4nary-S3cret"


@contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A TCP service that keeps what it is sent."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    taken, _ = server.accept()
                except TimeoutError:
                    continue
                with taken:
                    taken.settimeout(1.0)
                    try:
                        came.append(taken.recv(4096))
                    except OSError:
                        came.append(b"")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            stop.set()
            thread.join()


def write_secret(folder: Path, name: str, value: str, host: str | None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(value)
    if host is not None:
        (folder / f"{name}.host").write_text(host)


async def test_a_twin_sends_no_secret_and_no_variable_to_a_host_of_its_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reproduction: every secret of the device, and PATH, in one URL."""
    monkeypatch.setenv("FLEET_API_TOKEN", CANARY)
    write_secret(tmp_path / "secrets", "DOCK_9", CANARY, "10.9.9.9")
    with listener() as (port, came):
        async with camera_module(tmp_path, FLEET_API_TOKEN=CANARY, DOCK_8=CANARY) as module:
            for source in (
                f"rtsp://127.0.0.1:{port}/${{DOCK_9}}/${{FLEET_API_TOKEN}}/${{PATH}}",
                f"rtsp://u:${{DOCK_9}}@127.0.0.1:{port}/x",
            ):
                version = module.set(x1={"source": source})
                await until(lambda version=version: module.acknowledgement().get("av") == version, "answered")
                assert module.acknowledgement()["ac"] == 400
            module.set(x2={"source": f"rtsp://u:${{FLEET_API_TOKEN}}@127.0.0.1:{port}/x"})
            await until(lambda: module.state("x2").get("state") == "failed", "no such secret")
            assert "secret 'FLEET_API_TOKEN' is not a readable file" in module.state("x2")["reason"]
    assert not any(CANARY.encode() in one for one in came)


async def test_lines_of_the_twin_do_not_reach_a_service(tmp_path: Path) -> None:
    with listener() as (port, came):
        async with camera_module(tmp_path) as module:
            version = module.set(x={"source": f"rtsp://127.0.0.1:{port}/a RTSP/1.0\r\nFLUSHALL\r\n"})
            await until(lambda: module.acknowledgement().get("av") == version, "answered")
            assert module.acknowledgement()["ac"] == 400
    assert came == []


async def test_a_scene_that_cannot_be_parsed_is_400_and_not_500(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        for source in ("synthetic://con[]", "synthetic://[", "rtsp://con[]/x"):
            version = module.set(x={"source": source})
            await until(lambda version=version: module.acknowledgement().get("av") == version, "answered")
            assert module.acknowledgement()["ac"] == 400, source


@pytest.mark.parametrize(
    ("host", "address", "refused"),
    [
        ("cam", "10.0.0.7", False),
        ("cam", "192.168.1.2", False),
        ("cam", "fd12::7", False),
        ("cam", "169.254.7.7", False),
        ("cam", "8.8.8.8", True),
        ("cam", "127.0.0.1", True),
        ("cam", "::1", True),
        ("cam", "0.0.0.0", True),
        ("cam", "224.0.0.1", True),
        ("cam", "169.254.169.254", True),
        ("cam", "168.63.129.16", True),
        ("cam", "::ffff:169.254.169.254", True),
        ("cam", "64:ff9b::a9fe:a9fe", True),
        ("cam", "2002:a9fe:a9fe::1", True),
        ("cam", "::ffff:127.0.0.1", True),
        ("cam.example", "203.0.113.9", False),
        ("cam.example", "169.254.169.254", True),
    ],
)
def test_only_camera_networks_are_connected_to_and_metadata_never(host: str, address: str, refused: bool) -> None:
    policy = read_policy({"VIGIE_CAMERA_NETWORKS": "default, cam.example"})
    assert (policy.refuses_address(host, ipaddress.ip_address(address)) is not None) is refused


def test_even_a_device_that_allows_every_network_allows_no_metadata_address() -> None:
    policy = read_policy({"VIGIE_CAMERA_NETWORKS": "0.0.0.0/0 ::/0"})
    assert policy.refuses_host("203.0.113.9") is None
    assert policy.refuses_host("169.254.169.254") is not None


@pytest.mark.parametrize("environ", [{"VIGIE_CAMERA_NETWORKS": "10.0.0.0/33"}, {"VIGIE_CAMERA_SCHEMES": "rtsp gopher"}])
def test_a_policy_that_cannot_be_read_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigRefusedError):
        read_policy(environ)


async def test_a_network_or_scheme_outside_the_device_s_list_is_refused_with_its_path(tmp_path: Path) -> None:
    async with camera_module(tmp_path, VIGIE_CAMERA_SCHEMES="rtsps synthetic") as module:
        for source, why in (
            ("rtsps://203.0.113.9/x", "203.0.113.9 is not in this device's camera networks"),
            ("rtsps://169.254.169.254/x", "is never a camera"),
            ("rtsp://10.0.0.7/x", "opens no 'rtsp' sources"),
            ("/videos/a.mp4", "opens no 'file' sources"),
        ):
            version = module.set(x={"source": source})
            await until(lambda version=version: module.acknowledgement().get("av") == version, "answered")
            assert module.acknowledgement()["ac"] == 400
            assert why in module.acknowledgement()["ad"]


def test_a_name_that_leads_to_an_address_outside_the_list_is_not_connected_to(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match=r"is not in this device's camera networks|is never a camera"):
        connection(read_network_source("rtsp://localhost:9/x"), SourcePolicy(), SecretStore(tmp_path))


def test_what_is_connected_to_is_the_address_that_was_checked(tmp_path: Path) -> None:
    policy = read_policy({"VIGIE_CAMERA_NETWORKS": "localhost"})
    made = connection(read_network_source("rtsp://localhost:9/x"), policy, SecretStore(tmp_path))
    assert made.reveal() in {"rtsp://127.0.0.1:9/x", "rtsp://[::1]:9/x"}
    assert str(made) == "rtsp://localhost:9/x"


def test_certificates_are_verified_unless_the_camera_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "camera-ca.pem").write_text("")
    policy, store = read_policy({"VIGIE_CAMERA_NETWORKS": "localhost"}), SecretStore(tmp_path)
    source = read_network_source("rtsps://localhost:9/x")
    assert connection(source, policy, store).reveal() == "rtsps://localhost:9/x", "the name is what is certified"
    assert connection(source, policy, store, tls_verify=False).reveal() != "rtsps://localhost:9/x"
    for verify in (True, False):
        settings = CameraSettings(source=source.template, tls_verify=verify)
        options = plan_source(source.template, tls_verify=verify).options(settings, 5.0, ca_file(tmp_path))
        assert tls_options(options) == {"tls_verify": str(int(verify)), "ca_file": str(tmp_path / "camera-ca.pem")}


async def test_an_operator_is_told_of_a_password_on_an_open_line_and_of_tls_that_is_not_checked(tmp_path: Path) -> None:
    write_secret(tmp_path / "secrets", "DOOR", CANARY, "127.0.0.1")
    async with camera_module(tmp_path) as module:
        for settings, note, tls in (
            ({"source": "rtsp://u:${DOOR}@127.0.0.1:9/x"}, "the password crosses the network", "none"),
            ({"source": "rtsps://u:${DOOR}@127.0.0.1:9/x", "tls_verify": False}, "is not checked", "unverified"),
            ({"source": "rtsps://u:${DOOR}@127.0.0.1:9/x", "tls_verify": True}, "", "verified"),
        ):
            version = module.set(x=settings)
            await until(lambda version=version: module.acknowledgement().get("av") == version, "answered")
            assert module.acknowledgement()["ac"] == 200
            assert note in module.acknowledgement()["ad"]
            assert bool(note) == bool(module.acknowledgement()["ad"])
            await until(lambda tls=tls: module.state("x").get("tls") == tls, "shown in the reported twin")


async def test_every_file_that_is_no_video_gets_the_same_answer_and_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("root:x:0:0")
    (tmp_path / "empty").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = ["text", "empty", "folder", "fifo", "absent", "text/below"]
    async with camera_module(tmp_path) as module:
        module.set(**{f"c{n}": {"source": str(tmp_path / name)} for n, name in enumerate(names)})
        for number in range(len(names)):
            await until(lambda n=number: module.state(f"c{n}").get("state") == "failed", names[number])
        reasons = {module.state(f"c{n}")["reason"].partition("': ")[2] for n in range(len(names))}
    assert len(reasons) == 1


def test_a_secret_goes_to_its_own_host_and_its_network_only(tmp_path: Path) -> None:
    write_secret(tmp_path, "DOOR", "value\n", "Cam.example\n10.1.0.0/16\n")
    store = SecretStore(tmp_path)
    assert store.find("DOOR", "cam.example").reveal() == "value"
    assert store.find("DOOR", "10.1.2.3").reveal() == "value"
    for other in ("10.2.0.1", "cam.example.evil", "127.0.0.1"):
        with pytest.raises(SecretRefusedError, match="is not for the host"):
            store.find("DOOR", other)


def test_a_secret_without_a_host_or_behind_a_link_is_refused(tmp_path: Path) -> None:
    write_secret(tmp_path, "HOMELESS", CANARY, None)
    write_secret(tmp_path, "EMPTY", "", "h")
    write_secret(tmp_path, "LONG", "x" * 5000, "h")
    write_secret(tmp_path, "LINK", "", "h")
    outside = tmp_path / "outside"
    outside.write_text(CANARY)
    (tmp_path / "LINK").unlink()
    (tmp_path / "LINK").symlink_to(outside)
    write_secret(tmp_path, "FIFO", "", "h")
    (tmp_path / "FIFO").unlink()
    os.mkfifo(tmp_path / "FIFO")
    for name, why in (
        ("HOMELESS", "does not say whose it is"),
        ("EMPTY", "is empty"),
        ("LONG", "is longer than"),
        ("LINK", "a link is not followed"),
        ("FIFO", "is not a file"),
    ):
        with pytest.raises(SecretRefusedError, match=why) as refused:
            SecretStore(tmp_path).find(name, "h")
        assert CANARY not in str(refused.value)
