"""What lies sealed on a device's disk: whatever is done to it, nothing passes for content that was not sealed."""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.registry import Call, target
from support.mutation import Mutations

if TYPE_CHECKING:
    from vigie.sealing import Seals

# Between the files that one input is made of.
_BETWEEN = b"\n-- next file --\n"
_KEY, _FORMER = bytes(range(32)), bytes(range(1, 33))


def _seals() -> tuple[Seals, Seals]:
    """A device's keys, and none."""
    from vigie.sealing import Key, Seals

    return Seals((Key(_KEY), Key(_FORMER))), Seals()


@target
def sealed_records_and_key_files(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import ConfigRefusedError, SealedError
    from vigie.sealing import VARIABLE, BrokenSealError, Key, Seals, read_seals

    seals, _ = _seals()
    content = {"a": b'{"seq": 1}', "b": b""}
    keys = base64.b64encode(_KEY) + b"\n" + base64.b64encode(_FORMER) + b"\n"
    seeds = [
        *(seals.close(record, about) for about, record in content.items()),
        Seals((Key(_FORMER),)).close(content["a"], "a"),
        keys,
    ]
    file = folder / "keys"
    file.touch(mode=0o600)

    def call(data: bytes) -> None:
        for about, record in content.items():
            with contextlib.suppress(SealedError, BrokenSealError):
                assert seals.open(data, about) in {record, data}, "a record that nobody sealed was opened"
        file.write_bytes(data)
        try:
            read = read_seals({VARIABLE: str(file)})
        except ConfigRefusedError:
            return
        assert read.name is not None, "a file of keys was read, and none of them"

    return Mutations(seeds), call


@target
def sealed_files(_: Path) -> tuple[Mutations, Call]:
    from vigie.errors import SealedError
    from vigie.sealed_files import FILE_MAGIC, RECORD_BYTES, opened_chunks, opened_part, sealed_chunks
    from vigie.sealing import BrokenSealError

    seals, none = _seals()
    large = b"x" * (RECORD_BYTES - 1) + b"yz"  # two records, as a clip has
    content = {"one": (b"first", b"second", b"third"), "two": (b"alone",), "empty": (b"",)}
    seeds = [b"".join(sealed_chunks(chunks, about, seals)) for about, chunks in content.items()]
    stored = b"".join(sealed_chunks((large[:RECORD_BYTES], large[RECORD_BYTES:]), "large", seals))

    def call(data: bytes) -> None:
        sealed = data.startswith(FILE_MAGIC)
        for about, chunks in content.items():
            for keys in (seals, none):
                with contextlib.suppress(SealedError, BrokenSealError):
                    whole = b"".join(opened_chunks(io.BytesIO(data), about, keys))
                    assert whole == (b"".join(chunks) if sealed else data), "content that nobody sealed was opened"
        # A part is asked for by place: the same bytes, put over a file of two records. Slow, so not for each input.
        chosen = hashlib.sha256(data).digest()
        if chosen[1] % 8:
            return
        place = chosen[0] * 4111 % len(stored)
        changed = stored[:place] + data + stored[place + len(data) :]
        for at, length in ((0, 9), (RECORD_BYTES - 4, 5), (len(large) - 3, 3)):
            with contextlib.suppress(SealedError, BrokenSealError):
                part = opened_part(io.BytesIO(changed), "large", seals, size=len(large), at=at, length=length)
                if changed.startswith(FILE_MAGIC):
                    assert part == large[at : at + length], "a part that nobody sealed was opened"

    return Mutations(seeds), call


@target
def sealed_audit_logs(folder: Path) -> tuple[Mutations, Call]:
    from vigie.audit.chain import Head, verify, write_line
    from vigie.audit.journal import Journal, read_log_file
    from vigie.audit.record import twin_entry
    from vigie.audit.sealed import stored
    from vigie.errors import SealedError

    seals, none = _seals()
    head, lines = Head(), []
    for version in range(1, 4):
        entry = twin_entry(version, version - 1, [("$.fps", version, 2)], [])
        line, head = write_line(entry, head, at="2026-01-01", module="m", boot="b")
        lines.append(stored(line, head.n, seals))
    log = folder / "audit-000001.jsonl"

    def call(data: bytes) -> None:
        for keys in (seals, none):
            with contextlib.suppress(SealedError):
                verdict = verify([(log.name, data)], head, seals=keys)
                if not verdict.breaks and data.count(b"sealed") == len(lines):
                    assert data == b"".join(lines), "a log that was changed is called whole"
        log.write_bytes(data)
        with contextlib.suppress(SealedError):
            Journal(folder, module="m", boot="b", seals=seals).check_key()
        assert read_log_file(log) == data

    return Mutations([b"".join(lines), lines[0], lines[2]]), call


@target
def sealed_clips(folder: Path) -> tuple[Mutations, Call]:
    import msgspec

    from vigie.clip_files import about_clip, about_facts
    from vigie.contracts.clips import ClipFacts
    from vigie.errors import SealedError, VigieError
    from vigie.sealed_files import sealed_chunks
    from vigie.sealing import BrokenSealError
    from vigie_devkit.commands.unseal import add_parser
    from vigie_devkit.local.errors import UsageError

    seals, none = _seals()
    clip, output, key = folder / "dock-1.mp4", folder / "out", folder / "key"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(_KEY) + b"\n" + base64.b64encode(_FORMER))
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    command = parser.parse_args(["unseal", str(clip), "--key", str(key), "--output", str(output)])
    content = b"\0\0\0\x18ftypmp42" * 40
    facts = ClipFacts(
        file=clip.name, camera="dock", bytes=len(content), sha256=hashlib.sha256(content).hexdigest(),
        started_at="2026-11-28T10:00:00Z", seconds=4.0, before_s=1.0, before_asked_s=1.0, after_asked_s=3.0,
        codec="h264", frame_hw=(360, 640),
    )  # fmt: skip
    text = msgspec.json.encode(facts)
    seeds = [
        keys.close(text, about_facts(clip.name))
        + _BETWEEN
        + b"".join(sealed_chunks([content], about_clip(clip.name), keys))
        for keys in (seals, none)
    ]

    def call(data: bytes) -> None:
        told, _, shown = data.partition(_BETWEEN)
        clip.with_suffix(".json").write_bytes(told)
        clip.write_bytes(shown)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                command.handler(command)
        except (VigieError, SealedError, BrokenSealError, UsageError):
            assert not any(output.glob("*")), "half a clip was left"
        else:
            written = (output / clip.name).read_bytes()
            named = msgspec.json.decode((output / "dock-1.json").read_bytes(), type=ClipFacts)
            assert hashlib.sha256(written).hexdigest() == named.sha256, "a clip that its facts do not name was written"
            for path in output.iterdir():
                path.unlink()

    return Mutations(seeds), call


@target
def sealed_evidence(folder: Path) -> tuple[Mutations, Call]:
    import msgspec

    from vigie.chosen_files import about_chosen, about_chosen_facts
    from vigie.contracts.evidence import EvidenceFacts
    from vigie.errors import SealedError
    from vigie.sealed_files import sealed_chunks
    from vigie.sealing import BrokenSealError
    from vigie_evidence.content import DamagedError
    from vigie_evidence.inbox import Inbox
    from vigie_evidence.manifests import Manifests
    from vigie_evidence.spool import Item, Spool

    seals, none = _seals()
    name, content = "dock-1", b"\xff\xd8\xff\xe0 a picture" * 20
    facts = EvidenceFacts(
        name=name, kind="snapshot", file=f"{name}.jpg", bytes=len(content), camera="dock", at="2026-11-28T10:42:00Z",
        sha256=hashlib.sha256(content).hexdigest(), frame_hw=(360, 640),
    )  # fmt: skip
    item = Item(facts=facts, target="azure.site", blob=f"{name}.jpg", age_ms=0)
    seeds = []
    for number, keys in enumerate((seals, none)):
        spool = folder / f"made-{number}"
        Spool(spool, keys).add([item], [content])
        files = [path.read_bytes() for path in sorted(spool.iterdir())]
        chosen = b"".join(sealed_chunks([content], about_chosen(facts.file), keys))
        seeds.append(_BETWEEN.join([*files, keys.close(msgspec.json.encode(facts), about_chosen_facts(name)), chosen]))
    data_name, item_name = sorted(path.name for path in (folder / "made-0").iterdir())
    spool, inbox, lines = folder / "spool", folder / "inbox", folder / "lines" / "azure.site" / "2026@dock.jsonl"
    for made in (spool, inbox, lines.parent):
        made.mkdir(parents=True)

    def call(data: bytes) -> None:
        kept, waiting, told, shown = [*data.split(_BETWEEN, 3), b"", b"", b""][:4]
        for path in spool.iterdir():
            path.unlink()
        (spool / data_name).write_bytes(kept)
        (spool / item_name).write_bytes(waiting)
        with contextlib.suppress(SealedError):
            reader = Spool(spool, seals)
            for one in reader.all():
                with contextlib.suppress(DamagedError, SealedError):
                    found = b"".join(reader.content(one).pieces())
                    assert hashlib.sha256(found).hexdigest() == one.item.facts.sha256
        (inbox / f"{name}.json").write_bytes(told)
        (inbox / facts.file).write_bytes(shown)
        folder_of_camera = Inbox(inbox, seals)
        with contextlib.suppress(SealedError, BrokenSealError, FileNotFoundError):
            seen = folder_of_camera.facts(name)
            if seen is not None:
                b"".join(folder_of_camera.content(seen))
        lines.write_bytes(data)
        with contextlib.suppress(SealedError):
            Manifests(folder / "lines", seals).due("azure.site")

    return Mutations(seeds), call


@target
def sealed_ledgers(folder: Path) -> tuple[Mutations, Call]:
    import shutil

    import msgspec

    from vigie.errors import LedgerRefusedError, LedgerUnavailableError, SealedError
    from vigie.ledger.ledger_thread import FILE, LedgerThread
    from vigie.ledger.priorities import Priority
    from vigie.ledger.rows import LedgerEntry

    seals, none = _seals()
    bodies = [{"seq": number, "camera": "dock", "trace": f"dock-{number}"} for number in range(3)]
    seeds = []
    for keys in (seals, none):
        made = folder / f"made-{keys.name}"
        with LedgerThread(made, seals=keys) as ledger:
            ledger.record(
                [LedgerEntry(one["trace"], "dock", msgspec.json.encode(one), Priority.DETECTIONS) for one in bodies],
                1 << 40,
            )
        seeds.append((made / FILE).read_bytes())
    place = folder / "ledger"

    def call(data: bytes) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / FILE).write_bytes(data)
        with (
            contextlib.suppress(LedgerRefusedError, LedgerUnavailableError, SealedError),
            LedgerThread(place, seals=seals) as ledger,
        ):
            while (batch := ledger.next_batch("sync", 9, lambda _: 1 << 20)) is not None:
                for item in msgspec.json.decode(batch.json)["items"]:
                    assert item in bodies, f"an item that nobody recorded is sent: {item}"
                ledger.acknowledge(batch)

    return Mutations(seeds), call
