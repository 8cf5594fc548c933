"""When, how fast and how much of a release is fetched: quiet hours, a rate and the disk are the twin's to say."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release, state, until_phase
from vigie_devkit.models.importer import import_model

ALWAYS = {"quiet_hours": {"begin": "00:00", "end": "00:00", "time_zone": "Europe/Paris"}}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with inference(tmp_path / "module") as running:
        yield running


async def test_nothing_is_fetched_in_quiet_hours_and_it_begins_when_they_end(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    desired = {"model": {"path": str(first)}, "runtime": UNMEASURED}
    content = archive(first, tmp_path, "2")
    does = Behaviour(content)
    with serve(does) as url:
        wanted = {"first": release(url, content, "2", commit="immediate")}
        await bench.desire(**desired, models=wanted, downloads=ALWAYS)
        told = await until(lambda: one if "quiet" in (one := state(bench)).get("reason", "") else None, timeout_s=60)
        assert told["phase"] == "downloading"
        assert told["reason"] == "waits for the end of $.downloads.quiet_hours until 00:00 (Europe/Paris)"
        assert does.asked == []
        await bench.desire(**desired, models=wanted)
        await until_phase(bench, "committed")


async def test_quiet_hours_that_begin_midway_interrupt_a_download_that_then_goes_on_where_it_was(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    desired = {"model": {"path": str(first)}, "runtime": UNMEASURED}
    content = archive(first, tmp_path, "2")
    does = Behaviour(content)
    with serve(does) as url:
        wanted = {"first": release(url, content, "2", commit="immediate")}
        await bench.desire(**desired, models=wanted, downloads={"bytes_per_second": 4096})
        part = tmp_path / "module"
        await until(lambda: any(file.stat().st_size > 4096 for file in part.rglob("*.part")), timeout_s=60)
        await bench.desire(**desired, models=wanted, downloads={"bytes_per_second": 4096, **ALWAYS})
        await until(lambda: "quiet" in state(bench).get("reason", ""), timeout_s=60)
        await bench.desire(**desired, models=wanted)
        await until_phase(bench, "committed")
    assert len(does.asked) == 2
    assert int(does.asked[1]["range"].removeprefix("bytes=").partition("-")[0]) > 4096


async def test_a_download_keeps_to_its_rate(bench: Bench, first: Path, tmp_path: Path) -> None:
    content = archive(first, tmp_path, "2")
    per_second = len(content) // 3
    with serve(Behaviour(content)) as url:
        begun_s = time.monotonic()
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            models={"first": release(url, content, "2", commit="immediate")},
            downloads={"bytes_per_second": per_second},
        )
        await until_phase(bench, "committed")
        # The last piece need not be paid for; a busy machine only makes it longer.
        assert time.monotonic() - begun_s > 2.0


async def test_a_release_that_does_not_fit_beside_what_serves_is_refused_before_it_is_fetched(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    content = archive(first, tmp_path, "2")
    does = Behaviour(content)
    with serve(does) as url:
        wanted = {**release(url, content, "2", commit="immediate"), "size": 600_000}
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            models={"first": wanted},
            downloads={"disk_bytes": 1 << 20},
        )
        told = await until_phase(bench, "rejected", "committed")
    assert told["phase"] == "rejected"
    assert "$.downloads.disk_bytes allows 1048576" in told["reason"]
    assert does.asked == []


async def test_older_releases_make_room_for_a_new_one(bench: Bench, first: Path, tmp_path: Path) -> None:
    desired = {"model": {"path": str(first)}, "runtime": UNMEASURED}
    for version in "2345":
        content = archive(first, tmp_path, version)
        unpacked = sum(file.stat().st_size for file in (tmp_path / f"v{version}").iterdir())
        # Room for two that are there, and for what comes at twice its size.
        rules = {"keep": 9, "disk_bytes": 2 * unpacked + 2 * len(content) + 2000}
        with serve(Behaviour(content)) as url:
            wanted = {"first": release(url, content, version, commit="immediate")}
            await bench.desire(**desired, models=wanted, downloads=rules)
            await until(lambda version=version: state(bench).get("serving", {}).get("version") == version, timeout_s=60)
            await until_phase(bench, "committed")
    kept = [folder for folder in (tmp_path / "module").rglob("models/*") if (folder / "card.yaml").is_file()]
    assert len(kept) == 3
