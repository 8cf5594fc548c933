"""Cameras that do not answer: each says its own cause, and none holds up another."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.camera_module import camera_module, make_video, until
from vigie.errors import SourceOpenError, SourceRefusedError
from vigie_camera.sources import plan_source
from vigie_camera.sources.registry import OpenContext

SCENE = {"source": "synthetic://conveyor?size=64x64&fps=10"}


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A port that accepts and says ``answer`` to every request, or nothing at all."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            held.append(peer)
            if answer is not None:
                threading.Thread(target=reply, args=(peer, answer), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for peer in held:
            peer.close()
        thread.join(5)


def reply(peer: socket.socket, answer: bytes) -> None:
    sequence = 0
    try:
        while request := peer.recv(4096):
            for line in request.split(b"\r\n"):
                if line.lower().startswith(b"cseq:"):
                    sequence = int(line.split(b":")[1])
            peer.sendall(answer.replace(b"SEQ", str(sequence).encode()))
    except OSError:
        return


def rtsp(status: str) -> bytes:
    return f"RTSP/1.0 {status}\r\nCSeq: SEQ\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (rtsp("401 Unauthorized"), "unauthorised"),
        (rtsp("404 Not Found"), "not_found"),
        (rtsp("503 Service Unavailable"), "refused"),
        (None, "timeout"),
    ],
    ids=["401", "404", "503", "silent"],
)
async def test_a_camera_that_answers_wrongly_says_its_cause(
    tmp_path: Path, monkeypatch: Any, answer: bytes | None, cause: str
) -> None:
    monkeypatch.setattr("vigie_camera.sources.registry.OPEN_S", 4.0)
    with answering(answer) as port:
        async with camera_module(tmp_path) as module:
            module.set(door={"source": f"rtsp://127.0.0.1:{port}/live"})
            await until(lambda: module.state("door").get("state") == "failed", "failed")
            assert module.state("door")["cause"] == cause
            assert module.metric(f'vigie_camera_failures_total{{camera="door",cause="{cause}"}}') >= 1


@pytest.mark.parametrize(("host", "cause"), [("camera.invalid", "dns"), ("127.0.0.1:1", "refused")])
async def test_a_host_that_is_not_there_says_its_cause(tmp_path: Path, host: str, cause: str) -> None:
    async with camera_module(tmp_path) as module:
        module.set(door={"source": f"rtsp://{host}/live"})
        await until(lambda: module.state("door").get("state") == "failed", "failed")
        assert module.state("door")["cause"] == cause


async def test_eight_good_cameras_flow_and_reconnect_while_four_silent_ones_are_still_being_opened(
    tmp_path: Path, monkeypatch: Any
) -> None:
    # Longer than any machine takes for the good ones: it is not time that parts them.
    monkeypatch.setattr("vigie_camera.sources.registry.OPEN_S", 120.0)
    with answering(None) as port:
        async with camera_module(tmp_path) as module:
            dead = {f"dead{n}": {"source": f"rtsp://127.0.0.1:{port}/{n}"} for n in range(4)}
            video = make_video(tmp_path / "grey.avi", frames=5)
            good = {f"good{n}": SCENE for n in range(7)} | {"file": {"source": str(video)}}
            module.set(**dead, **good)
            await until(lambda: all(module.consumer.of(name) for name in good), "every good camera flows")
            # None of the dead ones has got as far as its time-out: nobody waited for them.
            assert {module.state(name).get("state", "connecting") for name in dead} == {"connecting"}
            openers = {name: module.cameras.find(name).decoder_pid for name in dead}
            assert None not in openers.values()

            # A healthy one that is opened again does not wait for them either, and touches none of them.
            before = {name: len(module.consumer.of(name)) for name in good}
            for name in good:
                assert (await module.invoke("reconnect", {"camera": name}))[0] == 200
            await until(lambda: all(len(module.consumer.of(name)) > before[name] for name in good), "flow again")
            assert {name: module.cameras.find(name).decoder_pid for name in dead} == openers
            # What flowed a moment ago may still be of the opening before.
            opened = lambda name: module.metric(f'vigie_camera_openings_total{{camera="{name}"}}')  # noqa: E731
            await until(lambda: all(opened(name) == 2 for name in good), "each good camera opened twice")


async def test_the_module_is_not_ready_while_most_cameras_are_dead_and_names_them(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(good=SCENE, bad={"source": "rtsp://127.0.0.1:1/a"}, worse={"source": "/nowhere.mp4"})
        await until(lambda: "cameras" in module.service.health.missing(), "not ready")
        await until(
            lambda: (
                "1 of 3 cameras give frames, 2 must (ready_when quorum): bad: refused"
                in module.service.health.missing().get("cameras", "")
            ),
            "named",
        )


@pytest.mark.parametrize(
    "write",
    [
        str,
        "file://{}".format,
        "FILE://{}".format,
        "file://localhost{}".format,
        lambda path: f"file://{path}".replace(" ", "%20"),
    ],
    ids=["path", "file", "FILE", "localhost", "percent"],
)
def test_a_file_is_named_by_path_or_by_any_form_of_file_url(tmp_path: Path, write: Callable[[str], str]) -> None:
    video = make_video(tmp_path / "two words.avi", frames=2)
    assert plan_source(write(str(video))).resolve(OpenContext(tmp_path, {})) == str(video)


@pytest.mark.parametrize("source", ["file://otherhost/video.mp4", "videos/*.jpg"])
def test_what_is_no_file_of_ours_is_refused_at_once(source: str) -> None:
    with pytest.raises(SourceRefusedError):
        plan_source(source)


def test_a_file_that_is_not_there_is_told_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match="cannot be opened as a video"):
        plan_source("/no/such/video.mp4").resolve(OpenContext(tmp_path, {}))
