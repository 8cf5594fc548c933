"""Sync on a state folder that is read-only or full, from its start on: it says so, and goes on sending."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.detections import make_item
from support.sync_module import BOOT, Device


@pytest.fixture(params=["read-only", "full"])
def unusable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The state folder as a small file system of its own, which a remount makes usable again."""
    folder = tmp_path / "state"
    folder.mkdir()
    options = "size=1m" if request.param == "full" else "size=16m,ro"
    command = ["mount", "-t", "tmpfs", "-o", options, "vigie-test", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs root and mount")
    try:
        if request.param == "full":
            _fill(folder / "others")
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


async def test_sync_starts_on_a_state_folder_that_it_cannot_write_says_it_and_sends(
    unusable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(tmp_path, monkeypatch)
    await device.start()
    try:
        notes = device.service.health.notes()
        assert "cannot be written" in notes["state"]
        assert str(unusable) in notes["state"]
        device.hub.set_desired("sync", {"upstream": "detections"})
        await device.until(lambda: device.service.twin.version == 2)
        sent = device.feed([make_item(seq) for seq in range(1, 6)])
        await device.until(lambda: device.cursor.position(BOOT) == sent)
        await device.until(lambda: device.upstream_seqs() == [1, 2, 3, 4, 5])
        await device.until(lambda: device.hub.reported("sync")["ledger"]["state"] == "memory")
        assert device.metric("vigie_ledger_in_memory") == 1
        assert sum(path.stat().st_size for path in unusable.glob("ledger.db*")) == 0
        # Room again: the disk takes over, and nothing comes twice.
        subprocess.run(["mount", "-o", "remount,rw,size=16m", str(unusable)], check=True)
        device.feed([make_item(6)])
        await device.until(lambda: device.hub.reported("sync")["ledger"]["state"] == "ok")
        await device.until(lambda: device.upstream_seqs() == [1, 2, 3, 4, 5, 6])
        assert (unusable / "ledger.db").stat().st_size > 0
    finally:
        await device.stop()
