"""Writers of sealed files as processes that are killed at random moments; what they were told to be written is kept.

Run as a program, because it forks: ``sealed_crash.py WRITER FOLDER SEED KILLS``, WRITER one of ``WRITERS``. After each
kill every file of the folder is searched for what must not be readable. Prints one JSON object: ``acknowledged``, the
names that a writer returned for, with what they hold, ``readable``, files that show it, and ``halves``, how often a
kill left something half written.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from vigie.contracts.evidence import EvidenceFacts
from vigie.contracts.samples import Sample
from vigie.sealing import Key, Seals
from vigie_camera.clip_desk import FinishedClip
from vigie_camera.clip_store import Clips
from vigie_camera.decode.wire import Clipped
from vigie_camera.evidence_store import EvidenceFolder
from vigie_evidence.manifests import Manifests
from vigie_evidence.spool import Item, Spool

KEY = Key(bytes(range(32)))
SEALS = Seals((KEY,))
AT = "2026-11-28T10:42:00Z"
# In the content, and in what is told of it.
SECRET = b"a person at the loading bay"
TARGET = "azure.site"
DEADLINE_S = 60.0


def content_of(number: int) -> bytes:
    """More than one sealed record for some."""
    size = 1_300_000 if number % 3 == 0 else 20_000
    return SECRET + random.Random(number).randbytes(size) + SECRET


def write_spool(folder: Path, number: int) -> str:
    content, name = content_of(number), f"dock-{number}"
    facts = EvidenceFacts(
        name=name, kind="snapshot", file=f"{name}.jpg", bytes=len(content), camera="dock", at=AT, frame_hw=(360, 640),
        sha256=hashlib.sha256(content).hexdigest(), trace=SECRET.decode(),
    )  # fmt: skip
    items = [Item(facts=facts, target=target, blob=facts.file, age_ms=0) for target in (TARGET, "folders.look")]
    # Opened anew each time, as after a restart: it also clears up.
    Spool(folder, SEALS).add(items, [content])
    return name


def write_clip(folder: Path, number: int) -> str:
    content, fd = content_of(number), os.memfd_create("clip")
    os.write(fd, content)
    taken = FinishedClip(
        fd, Clipped(1, len(content), 2.0, 1.0, codec="h264", size_hw=(48, 64)), 1_700_000_000.0 + number
    )
    clips = Clips(folder, SEALS)
    return clips.save("dock", taken, before_s=5.0, after_s=5.0, label=SECRET.decode()).file


def write_chosen(folder: Path, number: int) -> str:
    name = f"dock-{number}"
    told = {"kind": "snapshot", "camera": "dock", "at": AT, "frame_hw": (360, 640), "trace": SECRET.decode()}
    EvidenceFolder(folder, SEALS).save(name, ".jpg", [content_of(number)], told)
    return name


def write_sample(folder: Path, number: int) -> str:
    sample = Sample(
        picture=f"dock-{number}.jpg", sha256="ab" * 32, camera="dock", trace=SECRET.decode(), captured_at=AT,
        frame_hw=(360, 640), model="parts@1f2e", reasons=("random",),
    )  # fmt: skip
    Manifests(folder, SEALS).add(TARGET, f"samples/device/2026-11-28/{sample.picture}", sample)
    return sample.picture


WRITERS: dict[str, Callable[[Path, int], str]] = {
    "spool": write_spool, "clips": write_clip, "chosen": write_chosen, "samples": write_sample,
}  # fmt: skip


def readable(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and SECRET in path.read_bytes()]


def half_written(folder: Path) -> bool:
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    alone = {name for name in names if name.endswith(".data") and name[:-5] + ".item" not in names}
    alone |= {
        name for name in names if name.endswith((".mp4", ".jpg")) and name.rpartition(".")[0] + ".json" not in names
    }
    lines = [path for path in folder.rglob("*.jsonl") if not path.read_bytes().endswith(b"\n")]
    return bool(alone or lines or [name for name in names if name.endswith(".part") or ".item." in name])


def main(writer: str, folder: Path, seed: int, kills: int) -> dict[str, object]:
    chance, write = random.Random(seed), WRITERS[writer]
    acknowledged: dict[str, int] = {}
    shown: set[str] = set()
    halves, number = 0, 0
    for _ in range(kills):
        told_in, told_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    number += 1
                    line = json.dumps([write(folder, number), number])
                    os.write(told_out, line.encode() + b"\n")
            finally:
                os._exit(70)
        os.close(told_out)
        with os.fdopen(told_in, "rb", buffering=0) as told:
            text = b""
            deadline = time.monotonic() + DEADLINE_S
            wanted = chance.randrange(1, 5)
            while text.count(b"\n") < wanted:
                if not select.select([told], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError(f"{writer}: nothing written in {DEADLINE_S} s")
                piece = told.read(4096)
                if not piece:
                    raise RuntimeError(f"{writer}: the writer ended by itself")
                text += piece
            # Somewhere in the next one.
            time.sleep(chance.random() * 0.03)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            while piece := told.read(4096):
                text += piece
        for line in text.splitlines():
            name, number = json.loads(line)
            acknowledged[name] = number
        number += 1  # was begun; a writer that is asked again for it would write it twice
        shown.update(readable(folder))
        halves += half_written(folder)
    return {"acknowledged": acknowledged, "readable": sorted(shown), "halves": halves}


if __name__ == "__main__":
    result = main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.buffer.write(msgspec.json.encode(result))
