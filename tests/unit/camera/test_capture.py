"""The camera module on real files and scenes: what it captures, keeps, drops and reports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.camera_module import camera_module, make_video, until
from support.data import real_input
from vigie.contracts.pixels import InlineJpeg
from vigie.messaging.output import Output
from vigie.synthetic import open_scene


async def test_a_file_gives_every_frame_in_order_once_and_is_then_finished(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=40)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == 40, "all frames read")
        items = module.consumer.items
        assert [item.seq for item in items] == list(range(40))
        assert all(item.keep and item.frame_hw == (48, 64) for item in items)
        assert np.allclose(module.consumer.means, [(4 * n + 10) % 250 for n in range(40)], atol=2)
        assert module.consumer.gone == []
        assert module.metric('vigie_frames_captured_total{camera="belt"}') == 40
        assert module.metric('vigie_camera_state{camera="belt",state="finished"}') == 1
        state = module.state("belt")
        assert (state["kind"], state["source"], state["size"], state["pace"]) == ("file", str(video), "64x48", "max")


async def test_frames_to_keep_wait_for_a_consumer_that_pauses_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path / "grey.avi", frames=60)
    answers: list[bool] = []
    ask = Output.wait_for_room

    def noted(*arguments: Any, **named: Any) -> bool:
        answers.append(ask(*arguments, **named))
        return answers[-1]

    monkeypatch.setattr(Output, "wait_for_room", noted)  # the real one, overheard: a wait has no other trace
    async with camera_module(tmp_path) as module:
        module.consumer.paused = True
        module.set(belt={"source": str(video), "slots": 4})
        await until(lambda: module.metric('vigie_frames_captured_total{camera="belt"}') >= 2, "begun")
        answers.clear()
        await until(lambda: answers.count(False) >= 3, "it asked for room three times and got none")
        assert module.metric('vigie_frames_captured_total{camera="belt"}') == 2  # slots less the two spare ones
        module.consumer.paused = False
        await until(lambda: len(module.consumer.items) == 60, "all frames")
        assert module.consumer.gone == []


async def test_several_files_at_once_lose_nothing(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=50)
    async with camera_module(tmp_path) as module:
        module.set(**{f"c{n}": {"source": str(video)} for n in range(4)})
        await until(lambda: len(module.consumer.items) == 200, "all frames")
        for n in range(4):
            assert [item.seq for item in module.consumer.of(f"c{n}")] == list(range(50))
        assert module.consumer.gone == []


async def test_real_video_is_decoded_in_full(tmp_path: Path) -> None:
    video = real_input("one-by-one-person-detection.mp4")
    async with camera_module(tmp_path) as module:
        module.set(door={"source": str(video), "frames": 100})
        await until(lambda: module.state("door").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == 100, "100 frames")
        assert {item.frame_hw for item in module.consumer.items} == {(432, 768)}
        assert module.state("door")["size"] == "768x432"


async def test_a_frame_limit_and_a_loop(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=10)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video), "loop": True, "frames": 25})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == 25, "25 frames")
        assert np.allclose(module.consumer.means, [4 * (n % 10) + 10 for n in range(25)], atol=2)
        assert [item.seq for item in module.consumer.items] == list(range(25))


async def test_a_cap_on_the_rate_takes_frames_evenly(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=40, fps=20)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video), "fps": 5})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == 10, "10 frames")
        assert np.allclose(module.consumer.means, [4 * n + 10 for n in range(0, 40, 4)], atol=2)


async def test_a_synthetic_camera_shows_the_scene_and_says_that_it_is_one(tmp_path: Path) -> None:
    url = "synthetic://conveyor?seed=3&fps=60&size=160x120"
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": url, "pace": "max", "frames": 12})
        await until(lambda: len(module.consumer.items) == 12, "12 frames")
        assert np.array_equal(module.consumer.last["belt"], open_scene(url).render(11))
        await until(lambda: module.state("belt").get("kind") == "synthetic", "reported")
        assert module.state("belt")["source"] == url


async def test_stamps_are_utc_and_monotonic_and_traces_unique(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=15)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: len(module.consumer.items) == 15, "frames")
        items = module.consumer.items
        assert all(item.captured_at.endswith("Z") for item in items)
        assert [item.captured_ns for item in items] == sorted(item.captured_ns for item in items)
        assert len({item.trace for item in items}) == 15
        assert items[0].trace == f"belt-{module.service.env.boot}-0"


async def test_a_changed_camera_starts_anew_with_numbers_that_go_on_and_the_other_is_not_touched(
    tmp_path: Path,
) -> None:
    one, two = make_video(tmp_path / "one.avi", frames=10), make_video(tmp_path / "two.avi", frames=12)
    scene = {"source": "synthetic://conveyor?size=64x64&fps=50"}
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(one)}, other=scene)
        await until(lambda: len(module.consumer.of("belt")) == 10, "first file")
        module.set(belt={"source": str(two)}, other=scene)
        await until(lambda: len(module.consumer.of("belt")) == 22, "second file")
        assert [item.seq for item in module.consumer.of("belt")] == list(range(22))
        assert len({item.trace for item in module.consumer.items}) == len(module.consumer.items)
        await until(lambda: module.consumer.of("other"), "the other flows")
        assert module.metric('vigie_camera_openings_total{camera="other"}') == 1
        await until(lambda: module.state("belt"), "reported")
        module.hub.set_desired("camera", {"cameras": {"belt": None, "other": scene}})
        await until(lambda: module.state("belt") == {}, "removed from the report")
        before = len(module.consumer.of("other"))
        await until(lambda: len(module.consumer.of("other")) > before + 5, "the other goes on")
        assert module.metric('vigie_camera_openings_total{camera="other"}') == 1


async def test_newest_wins_for_a_scene_in_real_time_and_drops_are_counted(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.consumer.paused = True
        module.set(belt={"source": "synthetic://conveyor?size=64x64&fps=100"})
        dropped = 'vigie_items_dropped_total{camera="belt",reason="consumer_behind"}'
        await until(lambda: module.metric(dropped) > 20, "drops")
        module.consumer.paused = False
        captured = module.metric('vigie_frames_captured_total{camera="belt"}')
        await until(lambda: module.consumer.items and module.consumer.items[-1].seq > captured, "new frames arrive")


async def test_pixels_travel_inside_the_message_when_asked_for(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=8)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video), "transport": "inline"})
        await until(lambda: len(module.consumer.items) == 8, "frames")
        assert all(isinstance(item.pixels, InlineJpeg) for item in module.consumer.items)
        assert np.allclose(module.consumer.means, [4 * n + 10 for n in range(8)], atol=3)
        assert not list((tmp_path / "frames").glob("*.ring"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "cannot be opened as a video; check the path"),
        (lambda path: path.write_bytes(b""), "cannot be opened as a video; check the path"),
        (
            lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(500)),
            "cannot be opened as a video; check the path",
        ),
        (lambda path: path.write_text("hello, I am text\n" * 100), "cannot be opened as a video; check the path"),
    ],
    ids=["missing", "empty", "broken header", "text"],
)
async def test_a_file_that_does_not_open_fails_with_its_reason_while_another_camera_works(
    tmp_path: Path, make: Any, reason: str
) -> None:
    make(tmp_path / "bad.mp4")
    good = make_video(tmp_path / "good.avi", frames=5)
    async with camera_module(tmp_path) as module:
        module.set(bad={"source": str(tmp_path / "bad.mp4")}, good={"source": str(good)})
        await until(lambda: module.state("bad").get("state") == "failed", "failed")
        assert reason in module.state("bad")["reason"]
        assert module.metric('vigie_camera_state{camera="bad",state="failed"}') == 1
        await until(lambda: len(module.consumer.of("good")) == 5, "the good one")


async def test_a_file_that_appears_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "late.avi"
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(path)})
        await until(lambda: module.state("belt").get("state") == "failed", "failed")
        make_video(tmp_path / "ready.avi", frames=5).rename(path)
        await until(lambda: len(module.consumer.items) == 5, "frames")
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        assert module.state("belt").get("reason") == "all frames were captured"


async def test_a_truncated_file_gives_what_it_has_and_finishes(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.avi", frames=60)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(cut)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: 10 < len(module.consumer.items) < 60, "some frames")


async def test_rings_of_a_former_configuration_do_not_keep_a_smaller_one_from_starting(tmp_path: Path) -> None:
    large = make_video(tmp_path / "large.avi", frames=5, size_wh=(320, 240))
    small = make_video(tmp_path / "small.avi", frames=5)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(large)})
        await until(lambda: len(module.consumer.items) == 5, "large frames")
        module.set(belt={"source": str(small)})
        await until(lambda: len(module.consumer.items) == 10, "small frames")
        assert len(list((tmp_path / "frames").glob("camera.belt.*.ring"))) == 1


async def test_a_decoder_that_is_killed_costs_its_camera_a_moment_and_no_frame_is_torn(tmp_path: Path) -> None:
    scene = {"source": "synthetic://conveyor?size=320x240&fps=50"}
    async with camera_module(tmp_path) as module:
        module.set(one=scene, two=scene)
        killed = set()
        for _ in range(6):
            seen = len(module.consumer.of("one"))
            await until(lambda more=seen + 5: len(module.consumer.of("one")) > more, "frames")
            pid = module.cameras.find("one").decoder_pid
            assert pid is not None
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: module.cameras.find("one").decoder_pid not in (None, *killed), "another decoder")
        assert len(killed) == 6
        numbers = [item.seq for item in module.consumer.of("one")]
        assert numbers == sorted(set(numbers))
        # Every frame that was read is one that the scene has: none is half of two.
        rendered = open_scene(scene["source"])
        seen_bgr = module.consumer.last["one"]
        assert any(np.array_equal(seen_bgr, rendered.render(index)) for index in range(400))
        assert module.metric('vigie_camera_openings_total{camera="two"}') == 1
        assert len(module.consumer.gone) <= len(killed)


async def test_a_decoder_knows_its_own_address_and_no_secret_of_the_module(tmp_path: Path) -> None:
    async with camera_module(tmp_path, CAMERA_PASSWORD="swordfish") as module:
        os.environ["OTHER_PASSWORD"] = "hunter2"
        try:
            module.set(belt={"source": "synthetic://conveyor?size=64x64&fps=20"})
            await until(lambda: module.consumer.items, "frames")
            pid = module.cameras.find("belt").decoder_pid
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"hunter2" not in environ
            assert b"swordfish" not in environ
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"Max data size +1073741824 +1073741824 ", limits)
            assert re.search(r"Max core file size +0 +0 ", limits)
            ring = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir() if one.exists()]
            # Mapped, not open: a decoder cannot cut the ring short under its readers.
            assert not any(name.endswith(".ring") for name in ring)
        finally:
            del os.environ["OTHER_PASSWORD"]


async def test_a_hung_decoder_is_killed_and_its_camera_flows_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("vigie_camera.session._HUNG_S", 2.0)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": "synthetic://conveyor?size=64x64&fps=20"})
        await until(lambda: len(module.consumer.items) > 3, "frames")
        os.kill(module.cameras.find("belt").decoder_pid, signal.SIGSTOP)
        await until(lambda: module.state("belt").get("cause") == "decode", "noticed")
        assert "the decoder hangs" in module.state("belt")["reason"]
        before = len(module.consumer.items)
        await until(lambda: len(module.consumer.items) > before + 3, "frames again")


async def test_a_damaged_file_says_how_many_frames_are_not_whole(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=40, size_wh=(320, 240))
    raw = bytearray(video.read_bytes())
    for at in range(len(raw) // 4, len(raw) * 3 // 4, 400):
        raw[at : at + 40] = bytes(40)
    video.write_bytes(raw)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        assert "damaged" in module.state("belt")["reason"]
        assert "all frames" not in module.state("belt")["reason"]
        assert module.metric('vigie_frames_damaged_total{camera="belt"}') > 0


async def test_a_damaged_h264_file_gives_every_frame_that_ffmpeg_decodes_and_says_that_it_is_damaged(
    tmp_path: Path,
) -> None:
    video = tmp_path / "belt.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-frames:v", "200"]
    encode = ["-c:v", "libx264", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *encode, video], check=True)
    listed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=pos,size", "-of", "csv=p=0", video],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    packets = [(int(pos), int(size)) for size, pos in (line.split(",")[:2] for line in listed.stdout.split())]
    raw = bytearray(video.read_bytes())
    for pos, size in packets[77::4]:
        raw[pos : pos + size] = (b"\0\0\0\x02\xff\xff" * size)[:size]
    video.write_bytes(raw)
    grey = ["-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough", "-"]
    decoded = subprocess.run(["ffmpeg", "-v", "quiet", "-i", video, *grey], check=False, capture_output=True).stdout
    by_ffmpeg = len(decoded) // (160 * 120)
    assert 77 < by_ffmpeg < 200  # where a reader that stops at the first refusal has 77
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        await until(lambda: len(module.consumer.items) == by_ffmpeg, "every frame that can be decoded")
        lost = len(packets[77::4])
        assert module.state("belt")["reason"].startswith(f"{by_ffmpeg} frames captured; {lost} damaged")
        assert module.metric('vigie_frames_damaged_total{camera="belt"}') == lost


async def test_interlaced_video_from_a_file_reaches_the_consumer_as_pictures(tmp_path: Path) -> None:
    clip = real_input("bottle-detection.mp4")
    video = tmp_path / "int.mp4"
    words = ["-vf", "setfield=tff", "-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-frames:v", "20", *words, video], check=True)
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: len(module.consumer.items) == 20, "frames")
        assert min(module.consumer.means) > 100
        assert max(module.consumer.means) - min(module.consumer.means) < 20


async def test_a_picture_that_changes_its_size_gets_a_new_ring_and_keeps_its_shape(tmp_path: Path) -> None:
    parts = []
    for number, size in enumerate(("160x120", "320x120")):
        part = tmp_path / f"{number}.ts"
        source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10"]
        subprocess.run(
            ["ffmpeg", "-v", "error", *source, "-frames:v", "8", "-c:v", "mpeg2video", "-pix_fmt", "yuv420p", part],
            check=True,
        )
        parts.append(part.read_bytes())
    video = tmp_path / "both.ts"
    video.write_bytes(b"".join(parts))
    async with camera_module(tmp_path) as module:
        module.set(belt={"source": str(video)})
        await until(lambda: module.state("belt").get("state") == "finished", "finished")
        captured = module.metric('vigie_frames_captured_total{camera="belt"}')
        await until(lambda: len(module.consumer.items) == captured, "frames")
        shapes = [item.frame_hw for item in module.consumer.items]
        assert shapes == sorted(shapes)
        # One frame at the seam may be damaged: its reference is in the other file.
        assert min(shapes.count((120, 160)), shapes.count((120, 320))) >= 7
        assert module.consumer.gone == []
        assert len({item.pixels.ring for item in module.consumer.items}) == 2
