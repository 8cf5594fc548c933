"""Pictures and clips that sync asks for: the very frame, with what must be hidden unrecognisable."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support.camera_module import CameraModule, camera_module, make_video, until
from support.modules import Sender
from vigie.chosen_files import about_chosen, about_chosen_facts
from vigie.contracts.evidence import EvidenceFacts
from vigie.sealed_files import FILE_MAGIC, opened_chunks
from vigie.sealing import Key, Seals
from vigie_camera.config import EvidenceStore
from vigie_camera.evidence_store import EvidenceFolder

ABOUT = {"key": "event/zone/1/new/t", "id": "stay-1", "type": "zone", "phase": "new", "label": "person", "zone": "gate"}
BOX = [8.0, 8.0, 40.0, 40.0]


def facts_of(**changed: Any) -> dict[str, Any]:
    return {"kind": "snapshot", "camera": "dock", "at": "2026-11-28T10:00:00Z", "frame_hw": (1, 1), **changed}


def picture_request(item: Any, name: str, **changed: Any) -> dict[str, Any]:
    return {
        "type": "picture", "name": name, "camera": item.camera, "seq": item.seq, "trace": item.trace,
        "at": item.captured_at, "about": ABOUT, **changed,
    }  # fmt: skip


class Sync(Sender):
    """Asks the running camera module."""

    def __init__(self, module: CameraModule) -> None:
        super().__init__(module.hub, "sync", "keep", "vigie.keep/1")
        module.hub.routes["sync", "keep"] = ("camera", "keep")


async def kept(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "chosen" / f"{name}.json"
    await until(path.exists, name)
    return json.loads(path.read_bytes())


def read(folder: Path, facts: dict[str, Any]) -> np.ndarray:
    content = (folder / "chosen" / facts["file"]).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (facts["bytes"], facts["sha256"])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
async def module(tmp_path: Path) -> AsyncIterator[CameraModule]:
    video = make_video(tmp_path / "grey.avi", frames=200)
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": str(video), "pace": "realtime", "slots": 64})
        await until(lambda: module.consumer.of("dock"), "frames")
        yield module


async def test_the_picture_is_that_very_frame_and_its_facts_say_of_which_event(
    tmp_path: Path, module: CameraModule
) -> None:
    item = module.consumer.of("dock")[-1]
    mean = module.consumer.means[-1]
    seen = {"label": "person", "class_id": 0, "score": 0.9, "box_xyxy": BOX}
    Sync(module).send(picture_request(item, "dock-1", styles=["plain", "boxes"], boxes=[seen]))
    plain, boxed = await kept(tmp_path, "dock-1"), await kept(tmp_path, "dock-1-boxes")
    assert abs(float(read(tmp_path, plain).mean()) - mean) < 2
    assert read(tmp_path, boxed).std() > 10
    assert plain["about"] == ABOUT
    assert (plain["trace"], plain["at"], plain["frame_hw"]) == (item.trace, item.captured_at, [48, 64])
    assert boxed["boxed"]


async def test_the_best_picture_of_an_object_is_kept_in_memory_until_it_is_gone(
    tmp_path: Path, module: CameraModule
) -> None:
    sync, first = Sync(module), module.consumer.of("dock")[-1]
    sync.send(picture_request(first, "dock-held-a", hold="track-1"))
    await until(lambda: len(module.consumer.of("dock")) > 5, "more frames")
    better = module.consumer.of("dock")[-1]
    sync.send(picture_request(better, "dock-held-a", hold="track-1"))
    sync.send({"type": "held", "hold": "track-1", "name": "dock-2", "camera": "dock", "about": ABOUT})
    facts = await kept(tmp_path, "dock-2")
    assert facts["trace"] == better.trace
    assert [path.name for path in (tmp_path / "chosen").glob("*.json")] == ["dock-2.json"]


async def test_a_frame_that_left_the_ring_is_not_replaced_by_another_and_is_counted(
    tmp_path: Path, module: CameraModule
) -> None:
    item = module.consumer.of("dock")[0]
    gone = type(item)(**{name: getattr(item, name) for name in item.__struct_fields__} | {"seq": 999_999})
    sync = Sync(module)
    sync.send(picture_request(gone, "dock-3"))
    sync.send(picture_request(item, "dock-4") | {"trace": "dock-00000000-0"})
    count = 'vigie_items_dropped_total{camera="dock",reason="frame_gone"}'
    await until(lambda: module.metric(count) == 2, "counted")
    assert not (tmp_path / "chosen").exists()


async def test_a_sample_says_what_the_model_saw_and_why_it_was_chosen(tmp_path: Path, module: CameraModule) -> None:
    item = module.consumer.of("dock")[-1]
    seen = {"label": "nut", "class_id": 1, "score": 0.3, "box_xyxy": BOX}
    Sync(module).send(picture_request(item, "dock-5", about=None, boxes=[seen],
                                      sample={"model": "m/1", "reasons": ["low_confidence"], "other": []}))  # fmt: skip
    facts = await kept(tmp_path, "dock-5")
    sample = facts["sample"]
    assert (facts["kind"], sample["reasons"], sample["model"]) == ("sample", ["low_confidence"], "m/1")
    assert (sample["picture"], sample["sha256"]) == (facts["file"], facts["sha256"])
    assert sample["detections"] == [seen]
    assert sample["other"] == [], "a second model saw nothing"


async def test_a_clip_of_a_camera_without_packets_or_with_masks_is_refused_and_counted(
    tmp_path: Path, module: CameraModule
) -> None:
    Sync(module).send({"type": "clip", "name": "dock-6", "camera": "dock", "about": ABOUT, "before_s": 1, "after_s": 0})
    count = 'vigie_items_dropped_total{camera="dock",reason="clip_refused"}'
    await until(lambda: module.metric(count) == 1, "counted")
    assert not (tmp_path / "chosen").exists()


async def test_a_clip_of_an_event_is_a_file_with_its_facts(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi", frames=200)
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": str(video), "pace": "realtime", "clips": {"seconds": 4}})
        await until(lambda: module.consumer.of("dock"), "frames")
        sync = Sync(module)
        sync.send({"type": "clip", "name": "dock-7", "camera": "dock", "about": ABOUT, "before_s": 1, "after_s": 0.2})
        facts = await kept(tmp_path, "dock-7-clip")
        content = (tmp_path / "chosen" / facts["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (facts["bytes"], facts["sha256"])
        assert (facts["kind"], facts["about"]) == ("clip", ABOUT)
        assert content[4:8] == b"ftyp"


async def test_a_picture_of_a_camera_that_blurs_is_blurred_where_inference_says_or_as_a_whole(tmp_path: Path) -> None:
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": "synthetic://conveyor?size=320x240&fps=10", "slots": 64, "blur": ["person"]})
        await until(lambda: module.consumer.of("dock"), "frames")
        sync, item = Sync(module), module.consumer.of("dock")[-1]
        plain = module.consumer.last["dock"].copy()
        where = [40.0, 60.0, 120.0, 160.0]
        sync.send(picture_request(item, "dock-1", blur=[where]), picture_request(item, "dock-2", blur=None),
                  picture_request(item, "dock-3"))  # fmt: skip
        part, unknown, older = [await kept(tmp_path, f"dock-{number}") for number in (1, 2, 3)]
        assert part["hidden"] == [where]
        picture = read(tmp_path, part)
        assert detail(picture[60:160, 40:120]) < detail(plain[60:160, 40:120]) / 3
        assert detail(picture[:, 160:]) > detail(plain[:, 160:]) / 2
        for whole in (unknown, older):
            assert whole["hidden"] == [[0.0, 0.0, 320.0, 240.0]]
            assert detail(read(tmp_path, whole)) < detail(plain) / 3
        sample = {"model": "parts/1", "reasons": ["random"]}
        sync.send(picture_request(item, "dock-4", about=None, sample=sample))
        dropped = 'vigie_items_dropped_total{camera="dock",reason="blurred"}'
        await until(lambda: module.metric(dropped) == 1, "counted")


def detail(picture_bgr: np.ndarray) -> float:
    return float(cv2.Laplacian(picture_bgr, cv2.CV_32F).var())


def test_the_folder_is_bounded_and_keeps_nothing_half_written(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = EvidenceFolder(tmp_path / "chosen", Seals())
    folder.configure(EvidenceStore(bytes=1 << 20))
    before = os.umask(0o077)
    request.addfinalizer(lambda: os.umask(before))
    for number in range(5):
        saved = folder.save(f"dock-{number}", ".jpg", [bytes(300_000)], facts_of())
        assert isinstance(saved, EvidenceFacts)
        written_s = time.time() - 100 + number
        os.utime(folder.folder / f"dock-{number}.json", (written_s, written_s))
    assert sorted(path.name for path in folder.folder.glob("*.jpg")) == ["dock-2.jpg", "dock-3.jpg", "dock-4.jpg"]
    assert folder.save("dock-4", ".jpg", [b"another"], facts_of()) is None
    # The evidence module is another user of the same group, and modules begin with umask 077.
    assert {path.stat().st_mode & 0o777 for path in folder.folder.iterdir()} == {0o640}
    (folder.folder / "dock-9.jpg.part").write_bytes(b"half")
    (folder.folder / "dock-8.jpg").write_bytes(b"without facts")
    folder.tidy(time.time())
    assert len(list(folder.folder.iterdir())) == 6
    folder.tidy(time.time() + 73 * 3600)
    assert list(folder.folder.iterdir()) == []


async def test_a_device_with_a_key_shows_no_chosen_picture_or_clip_and_nothing_of_what_it_is_about(
    tmp_path: Path,
) -> None:
    key = Key(bytes(range(32)))
    (tmp_path / "key").write_bytes(base64.b64encode(key.secret))
    (tmp_path / "key").chmod(0o600)
    video, folder = make_video(tmp_path / "grey.avi", frames=200), tmp_path / "chosen"
    async with camera_module(tmp_path, VIGIE_AT_REST_KEY=str(tmp_path / "key")) as module:
        module.set(dock={"source": str(video), "pace": "realtime", "slots": 64, "clips": {"seconds": 4}})
        await until(lambda: module.consumer.of("dock"), "frames")
        item = module.consumer.of("dock")[-1]
        clip = {"type": "clip", "name": "dock-7", "camera": "dock", "about": ABOUT, "before_s": 1, "after_s": 0.2}
        Sync(module).send(picture_request(item, "dock-1"), clip)
        for name in ("dock-1", "dock-7-clip"):
            await until((folder / f"{name}.json").exists, name)
    seals = Seals((key,))
    for name in ("dock-1", "dock-7-clip"):
        facts = json.loads(seals.open((folder / f"{name}.json").read_bytes(), about_chosen_facts(name)))
        with (folder / facts["file"]).open("rb") as file:
            content = b"".join(opened_chunks(file, about_chosen(facts["file"]), seals))
        assert (len(content), hashlib.sha256(content).hexdigest()) == (facts["bytes"], facts["sha256"])
        assert facts["about"] == ABOUT
        assert content[:4] == b"\xff\xd8\xff\xe0" or content[4:8] == b"ftyp"
        for path in folder.iterdir():
            # Each so long that no noise has it.
            for told in (content[:16], content[-32:], b"vigie.evidence/1", b"event/zone/1/new/t", b'"label":"person"'):
                assert told not in path.read_bytes(), (path.name, told)


def test_a_large_clip_is_sealed_whatever_its_pieces_are(tmp_path: Path) -> None:
    seals, content = Seals((Key(bytes(range(32))),)), os.urandom((5 << 20) + 7)
    folder = EvidenceFolder(tmp_path / "chosen", seals)
    facts = folder.save("dock-1-clip", ".mp4", [content[:3_000_000], content[3_000_000:]], facts_of(kind="clip"))
    assert facts is not None
    path = folder.folder / facts.file
    assert path.read_bytes().startswith(FILE_MAGIC)
    with path.open("rb") as file:
        assert b"".join(opened_chunks(file, about_chosen(facts.file), seals)) == content


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "chosen").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="chosen"):
        EvidenceFolder(tmp_path / "chosen", Seals()).save("dock-1", ".jpg", [b"x"], facts_of())
