"""Evidence on its way, of a device with a key: nothing of it is readable on the disk, and it arrives as it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support.evidence_module import Evidence, chosen
from vigie.contracts.evidence import About, EvidenceFacts
from vigie.contracts.samples import Sample
from vigie.errors import SealedError
from vigie.sealing import MAGIC, Key, Seals
from vigie_evidence.content import DamagedError
from vigie_evidence.manifests import Manifests
from vigie_evidence.spool import Item, Spool

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
SEALS = Seals((KEY,))
# More than one sealed record, with the marks of a JPEG.
CONTENT = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 5000
# The marks that a JPEG begins with, and more: each so long that no noise of a megabyte has it.
NEEDLES = (CONTENT[:10], CONTENT[100:164], CONTENT[-64:], b"loading-bay", b"azure.site", b'"label":"person"')


def item(name: str = "dock-1", target: str = "azure.site") -> Item:
    about = About(key="event/k", id="stay-7", type="zone", phase="new", label="person", zone="loading-bay")
    facts = EvidenceFacts(
        name=name, kind="snapshot", file=f"{name}.jpg", bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest(),
        camera="dock", at="2026-11-28T10:42:00Z", frame_hw=(360, 640), about=about,
    )  # fmt: skip
    return Item(facts=facts, target=target, blob=f"{name}.jpg", age_ms=0)


def filled(folder: Path, seals: Seals = SEALS) -> Spool:
    spool = Spool(folder, seals)
    spool.add([item(), item(target="folders.look")], [CONTENT])
    return spool


def stored(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_waits_shows_nothing_on_the_disk_and_is_read_again_in_any_piece(tmp_path: Path) -> None:
    filled(tmp_path)
    for name, content in stored(tmp_path).items():
        for told in NEEDLES:
            assert told not in content, (name, told)
    spool = Spool(tmp_path, Seals((OTHER, KEY)))
    assert spool.used_bytes == 2 * len(CONTENT)
    content = spool.content(spool.all("azure.site")[0])
    assert b"".join(content.pieces()) == CONTENT
    million = 1 << 20
    for at, length in [(0, len(CONTENT)), (0, 1), (million - 3, 7), (million, 5), (len(CONTENT) - 9, 9), (77, million)]:
        assert content.read(at, length) == CONTENT[at : at + length]
    with pytest.raises(DamagedError):
        content.read(len(CONTENT) - 3, 4)
    for one in spool.all():
        spool.remove(one)
    assert stored(tmp_path) == {}


@pytest.mark.parametrize("seals", [Seals(), Seals((OTHER,))], ids=["no key", "another key"])
def test_without_its_key_the_spool_is_refused_and_stays_as_it_is(tmp_path: Path, seals: Seals) -> None:
    filled(tmp_path)
    (tmp_path / "0-000000000009-half.data.part").write_bytes(b"what a kill left")
    before = stored(tmp_path)
    with pytest.raises(SealedError, match=KEY.name):
        Spool(tmp_path, seals)
    assert stored(tmp_path) == before


@pytest.mark.parametrize("end", [".item", ".data"])
def test_a_flipped_bit_in_the_name_of_the_key_keeps_the_spool_open(tmp_path: Path, end: str) -> None:
    filled(tmp_path)
    for name in [name for name in stored(tmp_path) if name.endswith(end)]:
        raw = bytearray((tmp_path / name).read_bytes())
        raw[raw.index(MAGIC) + len(MAGIC)] ^= 1
        (tmp_path / name).write_bytes(raw)
    spool = Spool(tmp_path, SEALS)
    assert [b"".join(spool.content(one).pieces()) for one in spool.all()] == [CONTENT, CONTENT]


def test_what_came_before_there_was_a_key_is_read_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path, Seals())
    assert CONTENT in stored(tmp_path).values()
    spool = Spool(tmp_path, SEALS)
    assert b"".join(spool.content(spool.all()[0]).pieces()) == CONTENT


def test_a_flipped_bit_of_the_content_is_never_read_as_content(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    content = spool.content(spool.all()[0])
    whole = content.path.read_bytes()
    for place in (50, 5000, (1 << 20) + 200, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        content.path.write_bytes(changed)
        with pytest.raises(DamagedError):
            content.read(0, len(CONTENT))
        with pytest.raises(DamagedError):
            content.md5()
    content.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError):
        content.read(0, len(CONTENT))
    # Half a file is not whole to the next start, and neither is one in the clear that somebody put there.
    assert Spool(tmp_path, SEALS).all() == []


def test_a_file_in_the_clear_in_the_place_of_a_sealed_one_is_not_uploaded(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    content = spool.content(spool.all()[0])
    content.path.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(DamagedError, match="its facts say"):
        content.md5()


def test_a_changed_or_exchanged_item_is_set_aside(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    first, second = [tmp_path / f"{one.stem}.item" for one in spool.all()]
    first.write_bytes(second.read_bytes())
    changed = bytearray(second.read_bytes())
    changed[-1] ^= 1
    second.write_bytes(changed)
    again = Spool(tmp_path, SEALS)
    assert again.all() == []
    assert len(list(tmp_path.glob("*.damaged"))) == 2
    assert [(one.name, one.camera) for one in again.take_lost()] == [("dock-1", None)] * 2
    assert again.take_lost() == []
    assert again.forget_damaged() == 2
    assert stored(tmp_path) == {}


def test_of_damaged_items_the_newest_three_are_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, SEALS)
    for number in range(5):
        spool.add([item(f"dock-{number}")], [CONTENT])
    for one in spool.all():
        (tmp_path / f"{one.stem}.item").write_bytes(b"{")
    again = Spool(tmp_path, SEALS)
    assert [one.name for one in again.take_lost()] == [f"dock-{number}" for number in range(5)]
    assert sorted(name.split("-", 2)[2] for name in stored(tmp_path)) == [f"dock-{n}.damaged" for n in (2, 3, 4)]


async def test_what_was_damaged_in_the_spool_is_taken_again_while_the_camera_has_it_and_counted_if_not(
    tmp_path: Path,
) -> None:
    evidence = Evidence(tmp_path, SEALS)
    content = chosen(evidence.inbox, "gate-1", seals=SEALS)
    gone = chosen(evidence.inbox, "gate-2", seals=SEALS)
    spool = Spool(tmp_path / "state/evidence/spool", SEALS)
    for name, size, what in (("gate-1", len(content), content), ("gate-2", len(gone), gone)):
        facts = EvidenceFacts(
            name=name, kind="snapshot", file=f"{name}.jpg", bytes=size, sha256=hashlib.sha256(what).hexdigest(),
            camera="gate", at="2026-11-28T10:42:00Z", frame_hw=(360, 640),
        )  # fmt: skip
        spool.add([Item(facts=facts, target="folders.look", blob=f"{name}.jpg", age_ms=0)], [what])
    first, second = [tmp_path / f"state/evidence/spool/{one.stem}" for one in spool.all()]
    first.with_name(first.name + ".item").write_bytes(b"\x00VS1 half of it")
    data = second.with_name(second.name + ".data")
    data.write_bytes(data.read_bytes()[:-9])
    (tmp_path / "state/evidence/taken.json").write_text('["gate-1", "gate-2"]')
    for path in evidence.inbox.glob("gate-2.*"):
        path.unlink()
    await evidence.start()
    try:
        await evidence.configure(folders={"look": {}})
        await evidence.until(lambda: list((tmp_path / "out").rglob("*.jpg")))
        [path] = (tmp_path / "out").rglob("*.jpg")
        assert (path.name, path.read_bytes()) == ("gate-1.jpg", content)
        await evidence.until(lambda: evidence.metric('vigie_items_dropped_total{camera="gate",reason="damaged"}') == 1)
        status, reply = await evidence.method("erase", {"everything": True})
        assert status == 200, reply
        assert list((tmp_path / "state/evidence/spool").glob("*.damaged")) == []
    finally:
        await evidence.stop()


def test_lines_of_samples_are_sealed_and_the_target_gets_them_as_they_are(tmp_path: Path) -> None:
    def sample(number: int) -> Sample:
        return Sample(
            picture=f"dock-{number}.jpg", sha256="ab" * 32, camera="dock", trace="dock-1-77",
            captured_at="2026-11-28T10:42:00Z", frame_hw=(360, 640), model="parts@1f2e", reasons=("random",),
        )  # fmt: skip

    blob = "samples/device/2026-11-28/dock-{}.jpg"
    for number, seals in enumerate([Seals(), SEALS, Seals((OTHER, KEY))]):
        Manifests(tmp_path, seals).add("azure.site", blob.format(number), sample(number))
    [(_, content)] = stored(tmp_path).items()
    assert content.count(b"parts@1f2e") == 1
    with pytest.raises(SealedError, match=OTHER.name):
        Manifests(tmp_path, SEALS).due("azure.site")
    manifests = Manifests(tmp_path, Seals((OTHER, KEY)))
    due = manifests.due("azure.site")
    assert due is not None
    assert [json.loads(line)["picture"] for line in due.content.splitlines()] == [
        "dock-0.jpg",
        "dock-1.jpg",
        "dock-2.jpg",
    ]
    manifests.sent(due)
    assert manifests.due("azure.site") is None
    lines = due.path.read_bytes().splitlines()
    lines[1] = lines[1][:-8] + b"AAAAAAAA"
    due.path.write_bytes(b"\n".join(lines) + b"\n\n")
    left = manifests.due("azure.site")
    assert left is not None
    assert [json.loads(line)["picture"] for line in left.content.splitlines()] == ["dock-0.jpg", "dock-2.jpg"]


async def test_what_the_camera_sealed_arrives_as_it_was_seen_and_reported_state_says_how_it_lies(
    tmp_path: Path,
) -> None:
    evidence = Evidence(tmp_path, SEALS)
    await evidence.start()
    try:
        content = chosen(evidence.inbox, "gate-1", seals=SEALS)
        clear = chosen(evidence.inbox, "gate-2")
        await evidence.configure(folders={"look": {}})
        await evidence.until_empty()
        found = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")}
        assert found == {"gate-1.jpg": content, "gate-2.jpg": clear}
        await evidence.until(lambda: {"spool", "audit"} <= evidence.hub.reported("evidence").keys())
        told = evidence.hub.reported("evidence")
        assert told["spool"] == {"at_rest": KEY.name, "held": 0, "reason": ""}
        assert told["audit"]["at_rest"] == KEY.name
        log = b"".join(path.read_bytes() for path in (tmp_path / "state/evidence/audit").glob("*.jsonl"))
        assert b'"sealed":' in log
        assert b"folders" not in log
    finally:
        await evidence.stop()


@pytest.mark.parametrize("seals", [Seals(), Seals((OTHER,))], ids=["no key", "another key"])
async def test_what_needs_a_key_that_is_not_here_stays_with_the_camera_and_is_told(
    tmp_path: Path, seals: Seals
) -> None:
    evidence = Evidence(tmp_path, seals)
    await evidence.start()
    try:
        sealed = chosen(evidence.inbox, "gate-1", seals=SEALS)
        clear = chosen(evidence.inbox, "gate-2")
        await evidence.configure(folders={"look": {}})
        await evidence.until(lambda: evidence.hub.reported("evidence").get("spool", {}).get("held") == 1)
        assert KEY.name in evidence.hub.reported("evidence")["spool"]["reason"]
        await evidence.until(lambda: evidence.taken() == ["gate-2"])
        await evidence.until(lambda: list((tmp_path / "out").rglob("*.jpg")))
        [path] = (tmp_path / "out").rglob("*.jpg")
        assert path.read_bytes() == clear
        assert len(list(evidence.inbox.iterdir())) == 4
    finally:
        await evidence.stop()
    evidence.seals = Seals((*((OTHER,) if seals.name else ()), KEY))
    await evidence.start()
    try:
        await evidence.until(lambda: len(list((tmp_path / "out").rglob("*.jpg"))) == 2)
        assert {one.read_bytes() for one in (tmp_path / "out").rglob("*.jpg")} == {sealed, clear}
        await evidence.until(lambda: evidence.hub.reported("evidence").get("spool", {}).get("held") == 0)
    finally:
        await evidence.stop()


async def test_a_flipped_bit_in_the_cameras_file_is_refused_and_counted(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, SEALS)
    chosen(evidence.inbox, "gate-1", seals=SEALS)
    path = evidence.inbox / "gate-1.jpg"
    changed = bytearray(path.read_bytes())
    changed[1000] ^= 1
    path.write_bytes(changed)
    await evidence.start()
    try:
        await evidence.configure(folders={"look": {}})
        dropped = 'vigie_items_dropped_total{camera="gate",reason="damaged"}'
        await evidence.until(lambda: evidence.metric(dropped) == 1)
        assert list((tmp_path / "out").rglob("*.jpg")) == []
    finally:
        await evidence.stop()


async def test_what_waits_sealed_is_erased_by_camera(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, SEALS)
    filled(tmp_path / "state/evidence/spool")
    await evidence.start()
    try:
        status, reply = await evidence.method("erase", {"camera": "dock"})
        assert (status, reply) == (200, {"files": 2, "on_their_way": 0})
        assert stored(tmp_path / "state/evidence/spool") == {}
    finally:
        await evidence.stop()


async def test_what_was_changed_while_it_waited_is_dropped_counted_and_holds_nobody_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "state/evidence/spool", SEALS)
    for name in ("dock-1", "dock-2"):
        spool.add([item(name, "folders.look")], [CONTENT])
    path = spool.content(spool.all()[0]).path
    changed = bytearray(path.read_bytes())
    changed[5000] ^= 1
    path.write_bytes(changed)
    evidence = Evidence(tmp_path, SEALS)
    await evidence.start()
    try:
        await evidence.configure(folders={"look": {}})
        dropped = 'vigie_items_dropped_total{camera="dock",reason="damaged"}'
        await evidence.until(lambda: evidence.metric(dropped) == 1)
        await evidence.until(lambda: list((tmp_path / "out").rglob("*.jpg")))
        [path] = (tmp_path / "out").rglob("*.jpg")
        assert (path.name, path.read_bytes()) == ("dock-2.jpg", CONTENT)
    finally:
        await evidence.stop()
