"""An audit log that is sealed with the device's key: shown to nobody else, judged as one in the clear."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest

from vigie.audit.chain import ChainVerdict, verify
from vigie.audit.journal import Journal, log_files, read_head
from vigie.audit.record import AuditEntry, method_entry
from vigie.audit.upstream import AuditUpstream
from vigie.config.environment import ModuleEnvironment
from vigie.errors import SealedError
from vigie.sealing import Key, Seals
from vigie_devkit.cli import main

OLD, NEW = Key(bytes(range(32))), Key(bytes(range(1, 33)))
CLEAR = Seals()


def fill(folder: Path, count: int, seals: Seals, **limits: int) -> None:
    writer = Journal(folder, module="camera", boot="0badc0de", seals=seals, **limits)
    writer.check_key()
    assert all(writer.append(method_entry("snapshot", {"camera": f"dock-{n}"}, 200, {})) for n in range(count))
    writer.close()


def judged(folder: Path, seals: Seals) -> ChainVerdict:
    return verify([(name, (folder / name).read_bytes()) for name in log_files(folder)], read_head(folder), seals=seals)


def content(folder: Path) -> bytes:
    return b"".join((folder / name).read_bytes() for name in log_files(folder))


def test_a_sealed_log_shows_numbers_alone_and_its_chain_is_whole_for_who_has_the_key(tmp_path: Path) -> None:
    fill(tmp_path, 3, Seals((NEW,)))
    fill(tmp_path, 2, Seals((NEW,)))
    assert b"dock" not in content(tmp_path)
    assert b"snapshot" not in content(tmp_path)
    found = judged(tmp_path, Seals((NEW,)))
    assert (found.lines, found.breaks) == (5, ())
    with pytest.raises(SealedError, match=f"sealed with key {NEW.name}"):
        judged(tmp_path, CLEAR)


def test_a_key_can_be_given_and_changed_while_the_log_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, 2, CLEAR)
    fill(tmp_path, 2, Seals((OLD,)))
    fill(tmp_path, 2, Seals((NEW, OLD)))
    fill(tmp_path, 1, Seals((NEW,)))
    found = judged(tmp_path, Seals((OLD, NEW)))
    assert (found.lines, found.breaks) == (7, ())


def test_without_the_key_nothing_follows_and_nothing_is_changed(tmp_path: Path) -> None:
    fill(tmp_path, 2, Seals((NEW,)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for seals in (CLEAR, Seals((OLD,))):
        journal = Journal(tmp_path, module="camera", boot="0badc0de", seals=seals)
        with pytest.raises(SealedError):
            journal.check_key()
        assert not journal.append(AuditEntry(kind="start"))
        assert journal.lost == 1
        journal.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_sealed_line_that_was_changed_or_moved_is_found(tmp_path: Path) -> None:
    fill(tmp_path, 3, Seals((NEW,)))
    file = tmp_path / "audit-000001.jsonl"
    first, second, third = file.read_bytes().splitlines(keepends=True)
    sealed = second.partition(b'"sealed":"')[2][:-3]
    flipped = bytearray(base64.b64decode(sealed))
    flipped[-1] ^= 1
    for lines in (
        first + second.replace(sealed, base64.b64encode(flipped)) + third,
        first + third,
        first + second.replace(b'"n":2', b'"n":3') + third,
        first + b'{"n":2,"sealed":"no base64"}\n' + third,
    ):
        file.write_bytes(lines)
        assert judged(tmp_path, Seals((NEW,))).breaks, lines[:80]


def test_old_files_make_room_also_where_their_key_has_gone(tmp_path: Path) -> None:
    fill(tmp_path, 30, Seals((OLD,)), file_bytes_max=2000, files_max=4)
    fill(tmp_path, 1, Seals((NEW, OLD)), file_bytes_max=2000, files_max=4)
    fill(tmp_path, 30, Seals((NEW,)), file_bytes_max=2000, files_max=4)
    assert len(log_files(tmp_path)) == 4
    found = judged(tmp_path, Seals((NEW, OLD)))
    assert found.breaks == ()
    assert found.first > 1


class Output:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def limit_bytes(self, _properties: object, _message_id: str) -> int:
        return 100_000

    def send(self, body: bytes, _properties: object, _message_id: str, _deadline_s: float) -> None:
        self.bodies.append(body)


def test_the_cloud_gets_lines_as_they_were_written(tmp_path: Path) -> None:
    seals = Seals((NEW,))
    fill(tmp_path / "audit", 3, seals)
    output = Output()
    env = ModuleEnvironment("sync", "sync", "d", tmp_path, tmp_path, ("127.0.0.1", 0), tmp_path, seals=seals)
    AuditUpstream(env, output)._send_what_is_new(threading.Event())  # type: ignore[arg-type]
    assert b"dock-2" in output.bodies[0]
    assert b"sealed" not in output.bodies[0]


def test_people_read_and_verify_it_with_the_key_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, key = tmp_path / "audit", tmp_path / "key"
    fill(folder, 2, Seals((NEW,)))
    key.write_bytes(base64.b64encode(NEW.secret))
    key.chmod(0o600)
    assert main(["audit", "verify", "--folder", str(folder), "--key", str(key)]) == 0
    assert main(["audit", "show", "--folder", str(folder), "--key", str(key)]) == 0
    assert "dock-1" in capsys.readouterr().out
    assert main(["audit", "verify", "--folder", str(folder)]) != 0
    assert NEW.name in capsys.readouterr().err
