"""The files of an audit log: across restarts, rotation, a torn line, a full disk, and a stranger's hands."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from vigie.audit.chain import ChainVerdict, verify
from vigie.audit.journal import Journal, log_files, read_head
from vigie.audit.record import AuditEntry, method_entry


def journal(folder: Path, **limits: int) -> Journal:
    return Journal(folder, module="camera", boot="0badc0de", **limits)


def call(number: int) -> AuditEntry:
    return method_entry("snapshot", {"camera": f"dock-{number}"}, 200, {})


def fill(folder: Path, count: int, **limits: int) -> None:
    writer = journal(folder, **limits)
    assert all(writer.append(call(number)) for number in range(count))
    writer.close()


def verdict(folder: Path) -> ChainVerdict:
    return verify([(name, (folder / name).read_bytes()) for name in log_files(folder)], read_head(folder))


def test_a_restart_goes_on_where_the_log_ended(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    fill(tmp_path, 2)
    assert verdict(tmp_path) == ChainVerdict(5, 1, read_head(tmp_path), ())  # type: ignore[arg-type]
    assert (tmp_path / "audit-000001.jsonl").stat().st_mode & 0o777 == 0o600


def test_old_files_make_room_and_the_chain_stays_whole(tmp_path: Path) -> None:
    fill(tmp_path, 200, file_bytes_max=2000, files_max=4)
    assert len(log_files(tmp_path)) == 4
    assert sum((tmp_path / name).stat().st_size for name in log_files(tmp_path)) < 4 * 3000
    judged = verdict(tmp_path)
    assert judged.breaks == ()
    assert judged.first > 1
    # The oldest file that is left, taken away by somebody, is missed.
    (tmp_path / log_files(tmp_path)[0]).unlink()
    assert "no line says that those before were rotated out" in str(verdict(tmp_path).breaks[0])


def test_a_kill_between_a_new_file_and_its_first_line_is_no_damage(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    (tmp_path / "audit-000002.jsonl").touch()
    fill(tmp_path, 1)
    assert verdict(tmp_path).breaks == ()
    assert verdict(tmp_path).lines == 5


def test_half_a_line_of_a_power_loss_goes_and_the_log_says_so(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with (tmp_path / "audit-000001.jsonl").open("ab") as file:
        file.write(b'{"n":4,"at":')
    assert verdict(tmp_path).breaks
    fill(tmp_path, 1)
    assert verdict(tmp_path).breaks == ()
    assert verdict(tmp_path).lines == 5
    assert b"12 bytes of an unfinished line" in (tmp_path / "audit-000001.jsonl").read_bytes()


def test_a_head_that_lags_behind_its_lines_is_caught_up_with(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    lagging = (tmp_path / "head.json").read_bytes()
    fill(tmp_path, 2)
    (tmp_path / "head.json").write_bytes(lagging)
    assert verdict(tmp_path).breaks == ()
    fill(tmp_path, 1)
    assert (verdict(tmp_path).breaks, verdict(tmp_path).lines) == ((), 6)


def test_lines_that_somebody_took_stay_missing_after_the_next_start(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    file = tmp_path / "audit-000001.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    fill(tmp_path, 2)
    breaks = [str(one) for one in verdict(tmp_path).breaks]
    assert breaks == ["audit-000001.jsonl:3: is line 6: lines 3 to 5 missing before it"]
    assert b"line 5 and perhaps others before it are missing" in file.read_bytes()


def test_a_folder_that_somebody_takes_while_the_module_runs_is_missed(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    writer = journal(folder)
    writer.append(call(1))
    shutil.rmtree(folder)
    assert not writer.append(call(2)), "its line went into a file that is gone"
    assert writer.append(call(3))
    writer.close()
    assert any("missing" in str(one) or "begins with" in str(one) for one in verdict(folder).breaks)


def test_a_disk_that_takes_nothing_costs_lines_that_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.write_bytes(b"")  # no folder can be made here
    writer = journal(folder)
    assert [writer.append(call(number)) for number in range(3)] == [False] * 3
    assert writer.lost == 3
    folder.unlink()
    assert writer.append(call(4))
    writer.close()
    assert writer.lost == 0
    assert verdict(folder).breaks == ()
    assert b'"kind":"lost","more":3' in (folder / "audit-000001.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["audit-000001.jsonl", "head.json"])
def test_nothing_is_written_through_a_link_or_into_a_pipe(tmp_path: Path, name: str) -> None:
    folder, victim = tmp_path / "audit", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("mine")
    (folder / name).symlink_to(victim)
    writer = journal(folder)
    assert not writer.append(call(1))
    assert victim.read_text() == "mine"
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert not writer.append(call(1))
    writer.close()
