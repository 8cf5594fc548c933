"""What a device seals against ``kill -9``: nothing that was acknowledged is lost, nothing is readable at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import msgspec
import pytest

from support.sealed_crash import AT, KEY, SEALS, SECRET, TARGET, WRITERS, content_of, half_written
from vigie.clip_files import clip_chunks, read_facts, whole_clips
from vigie.contracts.samples import Sample
from vigie.errors import SealedError
from vigie.sealing import Key, Seals
from vigie_camera.clip_store import Clips
from vigie_camera.config import ClipStore, EvidenceStore
from vigie_camera.evidence_store import EvidenceFolder
from vigie_evidence.inbox import Inbox
from vigie_evidence.manifests import Manifests
from vigie_evidence.spool import Spool

PROGRAM = Path(__file__).parents[1] / "support/sealed_crash.py"
SEED = 23
KILLS = int(os.environ.get("VIGIE_KILLS", "8"))
STRANGERS = [Seals(), Seals((Key(bytes(range(1, 33))),))]


def stored(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spool_holds(folder: Path) -> dict[str, bytes]:
    for seals in STRANGERS:
        before = stored(folder)
        with pytest.raises(SealedError, match=KEY.name):
            Spool(folder, seals)
        assert stored(folder) == before
    spool = Spool(folder, SEALS)
    held = {one.item.facts.name: b"".join(spool.content(one).pieces()) for one in spool.all(TARGET)}
    # The second target of a file that a kill came between is asked for again by intake, which holds it by name.
    assert {one.item.facts.name for one in spool.all("folders.look")} <= set(held)
    return held


def clips_hold(folder: Path) -> dict[str, bytes]:
    # The times of the test are years ago: as they are kept, and not as they are removed.
    clips = Clips(folder, SEALS)
    clips.configure(ClipStore(bytes=1 << 34, hours=168))
    clips.tidy(time.time())
    held = {}
    for clip in whole_clips(folder):
        for seals in STRANGERS:
            with pytest.raises(SealedError, match=KEY.name):
                read_facts(clip, seals)
            with pytest.raises(SealedError, match=KEY.name):
                b"".join(clip_chunks(clip, seals))
        assert read_facts(clip, SEALS).label == SECRET.decode()
        held[clip.name] = b"".join(clip_chunks(clip, SEALS))
    return held


def chosen_hold(folder: Path) -> dict[str, bytes]:
    EvidenceFolder(folder, SEALS).configure(EvidenceStore(bytes=1 << 34))
    inbox, held = Inbox(folder, SEALS), {}
    for name in inbox.names():
        for seals in STRANGERS:
            with pytest.raises(SealedError, match=KEY.name):
                Inbox(folder, seals).facts(name)
        facts = inbox.facts(name)
        assert facts is not None
        held[name] = b"".join(inbox.content(facts))
    return held


def samples_hold(folder: Path) -> dict[str, bytes]:
    for seals in STRANGERS:
        with pytest.raises(SealedError, match=KEY.name):
            Manifests(folder, seals).due(TARGET)
    due = Manifests(folder, SEALS).due(TARGET)
    assert due is not None
    lines = [json.loads(line) for line in due.content.splitlines()]
    assert all(line["captured_at"] == AT for line in lines)
    return {line["picture"]: b"" for line in lines}


HOLD = {"spool": spool_holds, "clips": clips_hold, "chosen": chosen_hold, "samples": samples_hold}


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_kill_loses_nothing_sealed_that_was_acknowledged_and_leaves_nothing_readable_or_half(
    tmp_path: Path, writer: str
) -> None:
    folder = tmp_path / writer
    folder.mkdir()
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), writer, str(folder), str(SEED), str(KILLS), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    told = json.loads(out.splitlines()[-1])  # the modules log above it
    assert told["readable"] == []
    assert len(told["acknowledged"]) >= KILLS
    held = HOLD[writer](folder)
    for name, number in told["acknowledged"].items():
        assert name in held, name
        if writer != "samples":
            assert held[name] == content_of(number), name
    # What a kill left half written is gone, and what is there is whole, also what nobody was told of.
    if writer == "samples":
        Manifests(folder, SEALS).add(TARGET, "samples/device/2026-11-28/dock-0.jpg", _last(folder))
    assert not half_written(folder)


def _last(folder: Path) -> Sample:
    due = Manifests(folder, SEALS).due(TARGET)
    assert due is not None
    return msgspec.json.decode(due.content.splitlines()[-1], type=Sample)
