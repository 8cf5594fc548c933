"""Clips: the last packets and the next ones as MP4, as the camera sent them, within bounds of memory and disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.camera_module import CameraModule, camera_module, until
from vigie.clip_files import about_clip, clip_chunks, read_facts, whole_clips
from vigie.contracts.clips import ClipFacts
from vigie.errors import MethodRefusedError, SealedError
from vigie.sealed_files import sealed_chunks
from vigie.sealing import BrokenSealError, Key, Seals
from vigie_camera.clip_desk import FinishedClip
from vigie_camera.clip_store import Clips
from vigie_camera.config import ClipStore
from vigie_camera.decode.preroll import ClipRecording, Kept, PreRoll
from vigie_camera.decode.wire import Clipped
from vigie_devkit.cli import main

MASK = {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}


def packets(seconds: float, *, fps: int = 10, gop: int = 10, size: int = 100, first_s: float = 0.0) -> list[Kept]:
    return [
        Kept(bytes(size), n, int(first_s * fps) + n, 1, n % gop == 0, first_s + n / fps)
        for n in range(int(seconds * fps))
    ]


def kept(roll: PreRoll, some: list[Kept]) -> PreRoll:
    for packet in some:
        roll.add(packet)
    return roll


def test_what_is_kept_begins_with_the_last_key_frame_that_is_old_enough() -> None:
    roll = kept(PreRoll(5.0, 1 << 20), packets(30))
    found = roll.since(3.0)
    assert found[0].key
    assert (found[0].at_s, found[-1].at_s) == (26.0, 29.9)
    assert len(roll.since(100.0)) == 10 * 5 + 10


def test_bytes_bound_what_is_kept_and_a_group_that_is_too_large_alone_is_not_kept_in_part() -> None:
    assert len(kept(PreRoll(60.0, 2500), packets(30)).since(60.0)) == 20
    assert kept(PreRoll(60.0, 2500), packets(30, gop=1000)).since(60.0) == []
    roll = kept(PreRoll(60.0, 2500), packets(4, gop=1000))
    kept(roll, packets(1, first_s=10.0))
    assert [packet.key for packet in roll.since(60.0)] == [True] + [False] * 9


def test_a_clock_that_goes_back_or_a_stream_without_a_key_frame_keeps_nothing_that_cannot_be_played() -> None:
    roll = kept(PreRoll(60.0, 1 << 20), packets(5))
    assert not roll.add(Kept(b"x", 0, 0, 1, key=False, at_s=0.0))
    assert roll.since(60.0) == []
    assert roll.add(Kept(b"x", 1, 1, 1, key=False, at_s=0.1))
    assert roll.since(60.0) == []


def test_a_recording_is_done_when_its_time_is_over_its_bytes_are_used_up_or_the_stream_stops() -> None:
    def recording() -> ClipRecording:
        return ClipRecording(1, packets(1), asked_s=0.9, until_s=2.0, give_up_at=50.0, bytes_max=3000)

    ongoing = recording()
    assert not ongoing.is_done(10.0)
    assert ongoing.is_done(50.0)
    for packet in packets(1.1, first_s=1.0):
        ongoing.add(packet)
    assert ongoing.is_done(10.0)
    short = recording()
    for packet in packets(1, first_s=1.0, size=300):
        short.add(packet)
    assert short.full
    assert short.is_done(0.0)
    assert sum(len(packet.payload) for packet in short.packets) <= 3000


def taken(
    content: bytes, *, seconds: float = 2.0, ended_wall_s: float = 1_700_000_000.0, length: int | None = None
) -> FinishedClip:
    fd = os.memfd_create("clip")
    os.write(fd, content)
    facts = Clipped(1, len(content) if length is None else length, seconds, 1.0, codec="h264", size_hw=(48, 64))
    return FinishedClip(fd, facts, ended_wall_s)


def save(clips: Clips, one: FinishedClip) -> ClipFacts:
    return clips.save("dock", one, before_s=5.0, after_s=5.0, label="event-1")


def test_a_clip_on_disk_is_what_was_hashed_and_its_facts_come_last(tmp_path: Path) -> None:
    clips = Clips(tmp_path / "clips", Seals())
    facts = save(clips, taken(b"a" * 3_000_000))
    again = save(clips, taken(b"b"))
    path = tmp_path / "clips" / facts.file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts.sha256
    assert json.loads(path.with_suffix(".json").read_text())["label"] == "event-1"
    assert facts.started_at == "2023-11-14T22:13:18.000Z"
    assert again.file != facts.file
    # A kill between the two leaves a clip without facts, or a part of one: the next start removes it.
    path.with_suffix(".json").unlink()
    (tmp_path / "clips" / "x.mp4.part").write_bytes(b"half")
    clips.tidy(time.time())
    assert sorted(one.name for one in (tmp_path / "clips").iterdir()) == [again.file[:-4] + ".json", again.file]


def test_a_clip_of_a_device_with_a_key_shows_nothing_and_opens_with_the_key_alone(tmp_path: Path) -> None:
    seals = Seals((Key(bytes(range(32))),))
    content = b"ftyp" + b"person" * 400_000
    facts = save(Clips(tmp_path, seals), taken(content))
    path = tmp_path / facts.file
    on_disk = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"person" not in on_disk
    assert b"event-1" not in on_disk
    assert whole_clips(tmp_path) == [path]
    assert read_facts(path, seals) == facts
    assert hashlib.sha256(b"".join(clip_chunks(path, seals))).hexdigest() == facts.sha256
    assert facts.bytes == len(content)
    for reads in (lambda: read_facts(path, Seals()), lambda: b"".join(clip_chunks(path, Seals()))):
        with pytest.raises(SealedError):
            reads()
    # Another clip's content, or facts, under this name.
    other = save(Clips(tmp_path, seals), taken(b"other"))
    path.write_bytes((tmp_path / other.file).read_bytes())
    with pytest.raises(BrokenSealError):
        b"".join(clip_chunks(path, seals))


def test_the_oldest_clips_go_for_room_and_all_of_them_by_age(tmp_path: Path) -> None:
    clips = Clips(tmp_path, Seals())
    clips.configure(ClipStore(bytes=1 << 20, hours=1.0))
    names = [save(clips, taken(b"x" * 400_000, ended_wall_s=1_700_000_000.0 + n)).file for n in range(4)]
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == names[2:]
    assert len(list(tmp_path.glob("*.json"))) == 2
    clips.tidy(time.time() + 3601)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("one", "status"), [(taken(b"x" * (2 << 20)), 409), (taken(b"x", length=5000), 503)], ids=["too-large", "cut-short"]
)
def test_a_clip_that_is_too_large_or_shorter_than_its_decoder_says_is_refused(
    tmp_path: Path, one: FinishedClip, status: int
) -> None:
    clips = Clips(tmp_path, Seals())
    clips.configure(ClipStore(bytes=1 << 20))
    with pytest.raises(MethodRefusedError) as refused:
        save(clips, one)
    assert refused.value.status == status
    assert list(tmp_path.glob("*.mp4")) == []


def ffprobe(path: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height,nb_frames:format=duration"]
    done = subprocess.run([*command, "-of", "json", path], capture_output=True, text=True, check=True)
    assert not done.stderr
    return json.loads(done.stdout)


def pictures(path: Path | str, size: int) -> np.ndarray:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray",
         "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s at 25 fps with B-frames and a key frame per second."""
    path = tmp_path_factory.mktemp("clips") / "moving.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-t", "20", "-c:v", "libx264",
         "-g", "25", "-bf", "2", "-preset", "veryfast", "-pix_fmt", "yuv420p", str(path)],
        check=True,
    )  # fmt: skip
    return path


async def streaming(module: CameraModule, **camera: Any) -> None:
    module.set(dock=camera)
    await until(lambda: module.state("dock").get("state") == "streaming", "streaming")


async def test_a_clip_has_what_was_before_and_after_bit_for_bit_as_the_source_and_plays(
    tmp_path: Path, moving: Path
) -> None:
    async with camera_module(tmp_path) as module:
        await streaming(module, source=str(moving), pace="realtime", clips={"seconds": 4})
        await until(lambda: len(module.consumer.of("dock")) >= 80, "some seconds")
        status, reply = await module.invoke("record_clip", {"camera": "dock", "before_s": 2, "after_s": 1})
        assert status == 200, reply
        clip = reply["clip"]
        assert reply["path"] == str(tmp_path / "state" / "clips" / clip["file"])
        content = Path(reply["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (clip["bytes"], clip["sha256"])
        seen = ffprobe(reply["path"])
        [stream] = seen["streams"]
        assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 160, 120)
        # From a key frame, so up to a second more than asked for before.
        assert 3.0 <= clip["seconds"] <= 4.2
        assert abs(float(seen["format"]["duration"]) - clip["seconds"]) < 0.3
        ours, whole = pictures(reply["path"], 160 * 120), pictures(moving, 160 * 120)
        assert len(ours) >= 75
        [first] = [n for n in range(0, len(whole), 25) if np.array_equal(whole[n], ours[0])]
        # The end is cut in decoding order: of the last group a picture in the middle may not have come yet.
        assert np.array_equal(ours[:-3], whole[first : first + len(ours) - 3])


async def test_a_camera_with_masks_gives_no_clip_and_keeps_no_packet(tmp_path: Path, moving: Path) -> None:
    async with camera_module(tmp_path) as module:
        masked = {"source": str(moving), "pace": "realtime", "loop": True, "masks": {"left": MASK}}
        version = module.set(dock=masked | {"clips": {}})
        await until(lambda: module.acknowledgement().get("av") == version, "acknowledged")
        assert "$.cameras.dock.clips: this camera has masks" in module.acknowledgement()["ad"]
        await streaming(module, **masked)
        status, reply = await module.invoke("record_clip", {"camera": "dock"})
        assert status == 409
        assert "keeps no packets" in str(reply)
        assert not (tmp_path / "state" / "clips").exists()


async def test_a_source_without_packets_says_that_it_has_none_and_a_lost_camera_ends_the_wait(
    tmp_path: Path, moving: Path
) -> None:
    async with camera_module(tmp_path) as module:
        await streaming(module, source="synthetic://conveyor?size=160x120&fps=30", clips={})
        status, reply = await module.invoke("record_clip", {"camera": "dock"})
        assert status == 409
        assert "no packets are kept" in str(reply)
        await streaming(module, source=str(moving), pace="realtime", clips={})
        await until(lambda: module.state("dock").get("kind") == "file", "the file")
        await until(lambda: module.state("dock").get("state") == "streaming", "streaming")
        asked = asyncio.create_task(module.invoke("record_clip", {"camera": "dock", "after_s": 20}))
        module.set(dock={"source": str(moving), "pace": "realtime"})
        status, reply = await asked
        assert status in (409, 503), reply


def test_a_sealed_clip_is_opened_for_people_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, out = Key(bytes(range(32))), tmp_path / "out"
    facts = save(Clips(tmp_path / "clips", Seals((key,))), taken(b"moving pictures"))
    (tmp_path / "key").write_bytes(base64.b64encode(key.secret))
    (tmp_path / "key").chmod(0o600)
    words = ["unseal", str(tmp_path / "clips" / facts.file), "--key", str(tmp_path / "key"), "-o", str(out)]
    assert main(words) == 0
    assert (out / facts.file).read_bytes() == b"moving pictures"
    assert json.loads((out / facts.file).with_suffix(".json").read_text())["sha256"] == facts.sha256
    assert main(words) == 2
    assert "exists; name another folder" in capsys.readouterr().err


def test_a_clip_that_cannot_be_opened_is_told_and_nothing_half_written_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, other, out = Key(bytes(range(32))), Key(bytes(range(1, 33))), tmp_path / "out"
    facts = save(Clips(tmp_path / "clips", Seals((key,))), taken(b"moving pictures"))
    clip = tmp_path / "clips" / facts.file
    (tmp_path / "key").write_bytes(base64.b64encode(key.secret))
    (tmp_path / "key").chmod(0o600)
    sealed = clip.read_bytes()
    of_another_key = b"".join(sealed_chunks([b"moving pictures"], about_clip(facts.file), Seals((other,))))
    for content, told in (
        (sealed[:-1], "cut off or damaged"),
        (sealed[:-1] + b"?", "not what was sealed"),
        (of_another_key, f"sealed with key {other.name}"),
        (b"in the clear", "not the one that its facts name"),
    ):
        clip.write_bytes(content)
        assert main(["unseal", str(clip), "--key", str(tmp_path / "key"), "-o", str(out)]) == 2
        assert told in capsys.readouterr().err
        assert list(out.iterdir()) == []
        assert clip.read_bytes() == content
