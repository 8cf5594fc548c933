"""A release comes from Azure Blob Storage, by a shared access signature that stays on the device: Azurite serves it."""

from __future__ import annotations

import asyncio
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from support import models
from support.azurite import Azurite, sas
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release, state, until_phase
from vigie_devkit.cli import main
from vigie_devkit.models.importer import import_model


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


def put_blob(azurite: Azurite, name: str, content: bytes) -> str:
    """Its URL, without a signature."""
    request = urllib.request.Request(  # loopback
        f"{azurite.url}/{name}?{sas('rcw')}",
        content,
        {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/zip"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201
    return f"{azurite.url}/{name}"


def give_secret(bench: Bench, value: str) -> None:
    bench.service.env.secrets.mkdir(parents=True, exist_ok=True)
    (bench.service.env.secrets / "MODELS.host").write_text("127.0.0.1\n")
    (bench.service.env.secrets / "MODELS").write_text(f"{value}\n")


async def test_a_blob_is_fetched_by_its_signature_and_refused_without_a_valid_one(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = archive(first, tmp_path, "2")
    desired = {"model": {"path": str(first)}, "runtime": UNMEASURED}
    with Azurite(tmp_path / "azurite").running() as azurite:
        await azurite.make_container()
        blob = await asyncio.to_thread(put_blob, azurite, "parts-2.zip", content)
        async with inference(tmp_path / "module") as bench:
            await bench.serve(first, runtime=UNMEASURED)
            give_secret(bench, sas("r", begins=timedelta(hours=-3), lasts=timedelta(hours=-1)))
            wanted = {**release("", content, "2", commit="immediate"), "source": blob, "secret": "MODELS"}
            await bench.desire(**desired, models={"first": wanted})
            told = await until_phase(bench, "rejected", "committed")
            assert (told["phase"], "answers 403" in told.get("reason", "")) == ("rejected", True), told

            good = sas("r")
            give_secret(bench, good)
            again = {**wanted, "rollout": {**wanted["rollout"], "id": "with-a-new-signature"}}
            await bench.desire(**desired, models={"first": again})
            told = await until(lambda: one if (one := state(bench)).get("phase") == "committed" else None, timeout_s=60)
            assert told["serving"]["version"] == "2"
            spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
            assert (await bench.answered(random_picture(3, HW), spec.version)).model == spec.version
            signature = good.partition("sig=")[2]
            assert signature not in str(bench.reported()) + capsys.readouterr().out


async def test_a_download_from_blob_storage_goes_on_where_a_restart_of_the_module_interrupted_it(
    first: Path, tmp_path: Path
) -> None:
    content = archive(first, tmp_path, "2")
    desired = {"model": {"path": str(first)}, "runtime": UNMEASURED}
    with Azurite(tmp_path / "azurite").running() as azurite:
        await azurite.make_container()
        blob = await asyncio.to_thread(put_blob, azurite, "parts-2.zip", content)
        wanted = {**release("", content, "2", commit="immediate"), "source": blob, "secret": "MODELS"}
        slow = {"bytes_per_second": 8192}
        async with inference(tmp_path / "module") as bench:
            await bench.serve(first, runtime=UNMEASURED)
            give_secret(bench, sas("r"))
            await bench.desire(**desired, models={"first": wanted}, downloads=slow)
            parts = tmp_path / "module"
            await until(lambda: any(file.stat().st_size > 4096 for file in parts.rglob("*.part")), timeout_s=60)
        [part] = parts.rglob("*.part")
        there = part.stat().st_size
        assert 4096 < there < len(content)
        async with inference(tmp_path / "module") as bench:
            await bench.desire(**desired, models={"first": wanted})
            await until_phase(bench, "committed", "rejected")
            assert state(bench)["phase"] == "committed", state(bench)


async def test_what_models_publish_writes_is_what_a_device_fetches_and_no_blob_is_ever_replaced(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(first, tmp_path, "2")
    good, expired = tmp_path / "good.sas", tmp_path / "expired.sas"
    good.write_text(f"?{sas('cw')}\n")
    expired.write_text(sas("cw", begins=timedelta(hours=-3), lasts=timedelta(hours=-1)))
    with Azurite(tmp_path / "azurite").running() as azurite:
        await azurite.make_container()
        url = f"{azurite.url}/parts-2.zip"

        async def publish(signature: Path) -> tuple[int, str]:
            code = await asyncio.to_thread(
                main, ["models", "publish", str(tmp_path / "v2"), url, "--sas", str(signature)]
            )
            printed = capsys.readouterr()
            return code, printed.out + printed.err

        code, printed = await publish(expired)
        assert (code != 0, "answers 403" in printed) == (True, True), printed
        code, printed = await publish(good)
        assert code == 0, printed
        facts = {words[0]: words[1] for line in printed.splitlines() if len(words := line.split()) == 2}
        code, printed = await publish(good)
        assert (code != 0, "already exists" in printed) == (True, True), printed
        assert sas("cw").partition("sig=")[2] not in printed
        async with inference(tmp_path / "module") as bench:
            await bench.serve(first, runtime=UNMEASURED)
            give_secret(bench, sas("r"))
            wanted = {
                "version": facts["version"], "source": url, "sha256": facts["sha256"], "size": int(facts["size"]),
                "secret": "MODELS", "rollout": {"commit": "immediate", "probation_s": 0},
            }  # fmt: skip
            await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, models={"first": wanted})
            told = await until_phase(bench, "committed", "rejected")
    assert (told["phase"], told["version"]) == ("committed", "2"), told
