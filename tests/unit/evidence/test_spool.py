"""What waits on the device's disk: whole or not there, bounded, drained also where the disk is full."""

from __future__ import annotations

import hashlib
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from vigie.contracts.evidence import About, EvidenceFacts
from vigie.sealing import Seals
from vigie_evidence.accounts import Accounts
from vigie_evidence.blob_path import blob_path, check_template
from vigie_evidence.config import EvidenceConfig, UploadSettings
from vigie_evidence.content import DamagedError
from vigie_evidence.inbox import Inbox
from vigie_evidence.spool import Item, Spool, rank_of
from vigie_evidence.worker import hold

CLEAR = Seals()


def facts(
    name: str, content: bytes = b"x" * 1000, *, severity: str | None = "event", **changed: object
) -> EvidenceFacts:
    about = None if severity is None else About(key=f"event/{name}", id=name, type="zone", phase="new",
                                                severity=severity, label="a nut/7", zone="belt")  # fmt: skip
    return EvidenceFacts(**{
        "name": name, "kind": "snapshot", "file": f"{name}.jpg", "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(), "camera": "dock", "at": "2026-11-28T10:42:00Z",
        "frame_hw": (1, 1), "about": about, **changed,
    })  # fmt: skip


def item(name: str, *, severity: str | None = "event", target: str = "azure.site", age_ms: int = 0) -> Item:
    return Item(facts=facts(name, severity=severity), target=target, blob=f"{name}.jpg", age_ms=age_ms)


def names(spool: Spool) -> list[str]:
    return [one.item.facts.name for one in spool.all()]


def test_alerts_go_before_events_and_events_before_samples_and_each_in_its_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, CLEAR)
    for name, severity in [("s1", None), ("e1", "event"), ("a1", "alert"), ("e2", "event"), ("a2", "alert")]:
        spool.add([item(name, severity=severity)], [b"x" * 1000])
    assert names(spool) == ["a1", "a2", "e1", "e2", "s1"]
    assert names(Spool(tmp_path, CLEAR)) == ["a1", "a2", "e1", "e2", "s1"]


def test_what_is_uploaded_gives_its_room_back_and_is_remembered_until_it_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path, CLEAR)
    spool.add([item("e1"), item("e1", target="folders.look")], [b"x" * 1000])
    one = spool.all("azure.site")[0]
    spool.uploaded(one, "https://a/b", verified=True)
    assert spool.used_bytes == 1000
    again = Spool(tmp_path, CLEAR)
    assert [(one.item.uploaded, one.item.url) for one in again.all("azure.site")] == [(True, "https://a/b")]
    assert again.content(again.all("folders.look")[0]).path.read_bytes() == b"x" * 1000
    for one in again.all():
        again.remove(one)
    assert list(tmp_path.iterdir()) == []


def test_content_that_is_not_what_its_facts_say_is_not_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path, CLEAR)
    with pytest.raises(DamagedError, match="its facts say 1000"):
        spool.add([item("e1")], [b"y" * 1000])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["data only", "part", "half an item", "short data"])
def test_what_a_kill_left_is_not_uploaded_and_does_not_stop_the_rest(tmp_path: Path, left: str) -> None:
    spool = Spool(tmp_path, CLEAR)
    spool.add([item("e1")], [b"x" * 1000])
    spool.add([item("e2")], [b"x" * 1000])
    stem = spool.all()[1].stem
    if left == "data only":
        (tmp_path / f"{stem}.item").unlink()
    elif left == "part":
        (tmp_path / f"{stem}.item").unlink()
        (tmp_path / f"{stem}.data").rename(tmp_path / f"{stem}.data.part")
    elif left == "half an item":
        content = (tmp_path / f"{stem}.item").read_bytes()
        (tmp_path / f"{stem}.item").write_bytes(content[: len(content) // 2])
    else:
        (tmp_path / f"{stem}.data").write_bytes(b"x" * 10)
    assert names(Spool(tmp_path, CLEAR)) == ["e1"]
    assert names(Spool(tmp_path, CLEAR)) == ["e1"]


def test_a_full_spool_drops_samples_first_then_the_oldest_and_never_what_is_worth_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, CLEAR)
    for name, severity in [("a1", "alert"), ("e1", "event"), ("e2", "event"), ("s1", None)]:
        spool.add([item(name, severity=severity)], [b"x" * 1000])
    none: frozenset[str] = frozenset()
    assert spool.make_room(1000, 4000, rank_of(facts("s2", severity=None)), none) == {"dock": 1}
    assert names(spool) == ["a1", "e1", "e2"]
    assert spool.make_room(1000, 3000, rank_of(facts("s2", severity=None)), none) is None
    assert spool.make_room(1000, 3000, rank_of(facts("e3")), none) == {"dock": 1}
    assert names(spool) == ["a1", "e2"]
    assert spool.make_room(2000, 2000, rank_of(facts("e3")), none) is None
    assert names(spool) == ["a1", "e2"]
    assert spool.make_room(1000, 2000, 0, frozenset({spool.all()[1].stem, spool.all()[0].stem})) is None


def fill(spool: Spool, content: bytes) -> None:
    for number in range(100):
        one = Item(facts=facts(f"e{number}", content), target="azure.site", blob="b", age_ms=0)
        spool.add([one], [content])


def test_a_full_disk_takes_nothing_in_part_and_can_be_drained(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "spool"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"this machine does not let root mount a tmpfs: {mount.stderr.strip()}")
    try:
        spool = Spool(folder, CLEAR)
        content = b"x" * 60_000
        with pytest.raises(OSError, match="No space"):
            fill(spool, content)
        taken = len(names(spool))
        assert taken >= 2
        assert len(names(Spool(folder, CLEAR))) == taken
        assert list(folder.glob("*.part")) == []
        for one in spool.all():
            spool.remove(one)
        spool.add([Item(facts=facts("e9", content), target="azure.site", blob="b", age_ms=0)], [content])
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_what_was_sent_today_and_the_age_of_what_waits_outlive_a_start_and_a_wrong_clock(tmp_path: Path) -> None:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
    first = Accounts(tmp_path / "accounts.json", monotonic=lambda: 0.0, wall=lambda: now)
    first.sent("azure.site", "2026-11-28", 1000)
    first.save(at_once=True)
    later = Accounts(tmp_path / "accounts.json", monotonic=lambda: 5.0, wall=lambda: now + 3600)
    assert later.spent("azure.site", "2026-11-28").bytes == 1000
    assert later.spent("azure.site", "2026-11-29").bytes == 0
    assert later.now_ms() == pytest.approx(3_600_000, abs=10)
    # A boot in 1970 makes nothing older.
    assert Accounts(tmp_path / "accounts.json", monotonic=lambda: 5.0, wall=lambda: 100.0).now_ms() == 0
    (tmp_path / "accounts.json").write_text("{half")
    assert Accounts(tmp_path / "accounts.json").spent("azure.site", "2026-11-28").bytes == 0


def test_hours_and_budgets_hold_and_without_a_right_clock_there_are_none() -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    sending = msgspec.convert(
        {"bytes_per_day": 1000, "quiet_hours": {"begin": "08:00", "end": "18:00"}}, type=UploadSettings
    )
    assert hold(sending, 0, noon) == "quiet_hours"
    assert hold(sending, 1000, noon.replace(hour=20)) == "bytes_per_day"
    assert hold(sending, 999, noon.replace(hour=20)) is None
    assert hold(sending, 5000, None) is None


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{camera}.jpg", r"no \{name\}"),
        ("{name}/{secret}", "unknown secret"),
        ("{name!r}", "unknown name"),
        ("{name.__class__}", "unknown name.__class__"),
        ("/{name}", "parts between"),
        ("../{name}", "parts between"),
        ("a//{name}", "parts between"),
        ("a b/{name}", "parts between"),
        ("{name", "path: "),
    ],
)
def test_a_template_that_cannot_make_names_is_refused(template: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        check_template(template)


def test_a_name_is_of_the_capture_and_what_people_named_cannot_leave_its_folder() -> None:
    template = "{device}/{kind}/{type}/{label}/{zone}/{date}/{hour}/{camera}/{name}.{ext}"
    check_template(template)
    assert blob_path(template, facts("dock-1"), "line 4/../x") == (
        "line_4_.._x/snapshot/zone/a_nut_7/belt/2026-11-28/10/dock/dock-1.jpg"
    )
    with pytest.raises(ValueError, match="1024 may be"):
        blob_path("/".join(["{name}"] * 200), facts("dock-1"), "d")


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"url": "https://acc.blob.core.windows.net/clips"}, "one of sas and connection_string"),
        ({"url": "https://acc.blob.core.windows.net/clips", "sas": "A", "connection_string": "B"}, "one of sas"),
        ({"url": "http://blob:11002/acc/evidence", "sas": "A"}, "url and tls differ"),
        ({"url": "https://acc.blob.core.windows.net/c1?sig=x", "sas": "A"}, "url"),
        ({"url": "https://user:pass@acc.blob.core.windows.net/c1", "sas": "A"}, "url"),
    ],
)
def test_a_target_that_cannot_work_is_refused_with_its_path(entry: dict[str, str], wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=wrong) as caught:
        msgspec.convert({"azure": {"site": entry}}, type=EvidenceConfig)
    assert "$.azure" in str(caught.value)


def test_a_folder_of_chosen_files_leads_nowhere_else(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "chosen", CLEAR)
    assert inbox.names() == []
    (tmp_path / "chosen").mkdir()
    (tmp_path / "secret.json").write_bytes(msgspec.json.encode(facts("link")))
    (tmp_path / "chosen/link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "chosen/odd.json").write_text("{}")
    (tmp_path / "chosen/other.json").write_bytes(msgspec.json.encode(facts("another")))
    (tmp_path / "chosen/good.json").write_bytes(msgspec.json.encode(facts("good")))
    (tmp_path / "chosen/good.jpg").symlink_to(tmp_path / "secret.json")
    assert sorted(inbox.names()) == ["good", "odd", "other"]
    assert inbox.facts("odd") is None
    assert inbox.facts("other") is None
    good = inbox.facts("good")
    assert good is not None
    with pytest.raises(OSError, match="symbolic link"):
        list(inbox.content(good))
