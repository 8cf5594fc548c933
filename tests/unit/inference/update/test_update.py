"""The inference module follows desired property ``models``: real archives from a real server, a real tiny model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.registry import registry
from support.releases import HW, TRIAL, UNMEASURED, archive, frames_for_both, release, state, until_phase
from vigie.models import load_bundle
from vigie.models.oci import Registry, push, read_reference
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.shelf import bundle_files


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


async def test_a_release_is_fetched_tried_and_serves_and_goes_on_after_a_restart_without_the_server(
    first: Path, tmp_path: Path
) -> None:
    content = archive(first, tmp_path, "2")
    model = {"model": {"path": str(first)}, "score": 0.3, "runtime": UNMEASURED}
    async with inference(tmp_path / "module") as bench:
        serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
        with serve(Behaviour(content, cuts=[len(content) // 2])) as url:
            wanted = release(url, content, "2", id="ring-1")
            await bench.desire(**model, models={"first": wanted})
            await until_phase(bench, "shadowing")
            await frames_for_both(bench, serving)
            told = await until_phase(bench, "committed")
        assert told["serving"] == {"name": "first", "version": "2", "sha256": wanted["sha256"]}
        assert told["trial"]["agreement"] == 1.0
        assert told["rollout"] == "ring-1"
        events = await until(lambda: one if (one := bench.updates()) and one[-1].phase == "end" else None, timeout_s=60)
        assert [one.state for one in events] == [
            "downloading", "verifying", "selecting", "warming", "shadowing", "committed"
        ]  # fmt: skip
        assert [one.phase for one in events] == ["new", "update", "update", "update", "update", "end"]
        assert len({one.id for one in events}) == 1
        assert {(one.model, one.version, one.rollout) for one in events} == {("first", "2", "ring-1")}
        spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
        assert (await bench.answered(random_picture(3, HW), spec.version)).model == spec.version
        # Tensors that were on their way when the model changed are answered by the one they were fitted for.
        assert (await bench.answered(random_picture(4, HW), serving)).model == serving
        seqs = [item.seq for item in bench.results()]
        assert sorted(seqs) == list(range(1, bench.seq + 1)), "a frame went unanswered, or was answered twice"
        desired = {**model, "models": {"first": wanted}}
    store = next((tmp_path / "module").rglob("models/record.json")).parent
    (store / ".record.json.77").write_text("half a rec")
    (store / ".unpack-x").mkdir()
    async with inference(tmp_path / "module") as bench:
        await bench.desire(**desired)
        assert not [path.name for path in store.iterdir() if path.name.startswith(".")]
        again = await until(lambda: next((one for one in bench.specs()), None), timeout_s=60)
        assert again.version == spec.version
        assert (await until_phase(bench, "committed"))["serving"]["version"] == "2"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("other bytes", "is not the file that was asked for"),
        ("error page", "were expected; it is another file"),
        ("gone", "the server answers 404"),
        ("other version", "is version 2, 3 was asked for"),
        ("not a zip", "archive"),
        ("damaged model", "sha256"),
        ("escapes", "outside"),
        ("redirects for ever", "redirects more than 5 times"),
    ],
)
async def test_what_cannot_serve_is_refused_with_its_reason_and_the_former_serves_on(
    bench: Bench, first: Path, tmp_path: Path, broken: str, reason: str
) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    content = archive(first, tmp_path, "2")
    does, version = Behaviour(content), "2"
    asked = content
    if broken == "other bytes":
        does.content = content[:-1] + bytes([content[-1] ^ 1])
    elif broken == "error page":
        does.content = b"<html>503</html>"
    elif broken == "redirects for ever":
        does.hops = 1000
    elif broken == "gone":
        does.statuses = [404]
    elif broken == "other version":
        version = "3"
    elif broken == "not a zip":
        does.content = asked = b"no archive" * 100
    else:
        does.content = asked = spoilt(content, tmp_path, escapes=broken == "escapes")
    with serve(does) as url:
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            score=0.3,
            models={"first": release(url, asked, version, commit="immediate")},
        )
        told = await until_phase(bench, "rejected", "committed")
        assert told["phase"] == "rejected"
        assert reason in told["reason"], told
        asked_before = len(does.asked)
        assert (await bench.answered(random_picture(1, HW), serving)).model == serving
        assert "serving" not in told
        # The same wish again, as at each reconnect, is not tried again.
        bench.hub.set_desired(
            "inference",
            {
                "model": {"path": str(first)},
                "runtime": UNMEASURED,
                "score": 0.25,
                "models": {"first": release(url, asked, version, commit="immediate")},
            },
        )
        await bench.answered(random_picture(2, HW), serving)
        assert len(does.asked) == asked_before
    left = {path.name for path in (tmp_path / "module").rglob("models/*")}
    assert left <= {"record.json", "downloads"}, left


def spoilt(content: bytes, folder: Path, *, escapes: bool) -> bytes:
    """A zip whose model has other bytes than its card says, or with an entry outside the bundle."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            body = source.read(entry)
            if not escapes and entry.filename.endswith(".onnx"):
                body = body[:-1] + bytes([body[-1] ^ 1])
            target.writestr(entry.filename, body)
        if escapes:
            target.writestr("../outside.txt", "x")
    return out.getvalue()


async def test_a_worse_model_is_refused_by_the_trial(bench: Bench, first: Path, tmp_path: Path) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    other = import_model(
        models.save(models.yolov8(HW), tmp_path, "other.onnx"), tmp_path / "other", labels=list(models.NAMES)
    )
    content = archive(other, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            score=0.3,
            models={"first": release(url, content, "2", agreement_min=0.9)},
        )
        await until_phase(bench, "shadowing")
        await frames_for_both(bench, serving)
        told = await until_phase(bench, "rejected", "committed")
    assert told["phase"] == "rejected"
    assert "agrees with the serving model to" in told["reason"]
    assert told["trial"]["examples"]
    differs = await until(lambda: bench.updates() and next(iter(bench.disagreements()), None))
    [result] = [one for one in bench.results() if one.seq == differs.seq]
    assert (differs.trace, differs.model, differs.at) == (result.trace, serving, result.captured_at)
    assert [one.box_xyxy for one in differs.found] == [one.box_xyxy for one in result.detections]
    assert [one.box_xyxy for one in differs.other] != [one.box_xyxy for one in differs.found]
    assert (await bench.answered(random_picture(1, HW), serving)).model == serving


async def test_a_manual_rollout_waits_for_promotion_and_can_be_taken_back(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    content = archive(first, tmp_path, "2")
    status, refused = await asyncio.to_thread(bench.hub.invoke, "inference", "promote_model", {})
    assert status == 409, refused
    with serve(Behaviour(content)) as url:
        wanted = {"first": release(url, content, "2", commit="manual")}
        await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, score=0.3, models=wanted)
        await until_phase(bench, "shadowing")
        await frames_for_both(bench, serving)
        await until_phase(bench, "waiting")
        assert (await bench.answered(random_picture(1, HW), serving)).model == serving
        status, _ = await asyncio.to_thread(bench.hub.invoke, "inference", "promote_model", {})
        assert status == 200
        await until_phase(bench, "committed")
        status, _ = await asyncio.to_thread(bench.hub.invoke, "inference", "rollback_model", {})
        assert status == 200
        told = await until_phase(bench, "rolled_back")
    assert "rollback_model" in told["reason"]
    assert (await bench.answered(random_picture(2, HW), serving)).model == serving


async def test_a_source_that_is_not_https_is_refused_by_path(bench: Bench, first: Path) -> None:
    await bench.serve(first, runtime=UNMEASURED)
    acknowledged = await bench.desire(
        model={"path": str(first)}, runtime=UNMEASURED, models={"first": release("http://192.0.2.7", b"x", "2")}
    )
    assert acknowledged["models"]["ac"] == 400
    assert "$.models.first.source" in acknowledged["models"]["ad"]
    assert "https" in acknowledged["models"]["ad"]


async def test_a_newer_wish_supersedes_a_download_that_hangs(bench: Bench, first: Path, tmp_path: Path) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    content, newer = archive(first, tmp_path, "2"), archive(first, tmp_path, "3")
    with serve(Behaviour(content, statuses=[503] * 1000)) as away, serve(Behaviour(newer)) as url:
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            score=0.3,
            models={"first": release(away, content, "2", commit="immediate")},
        )
        await until(lambda: "503" in state(bench).get("reason", ""), timeout_s=60)
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            score=0.3,
            models={"first": release(url, newer, "3", commit="immediate")},
        )
        assert (await until_phase(bench, "committed"))["version"] == "3"


async def test_a_committed_bundle_that_is_damaged_on_disk_does_not_serve(first: Path, tmp_path: Path) -> None:
    content = archive(first, tmp_path, "2")
    async with inference(tmp_path / "module") as bench:
        await bench.serve(first, score=0.3, runtime=UNMEASURED)
        with serve(Behaviour(content)) as url:
            desired = {
                "model": {"path": str(first)},
                "runtime": UNMEASURED,
                "models": {"first": release(url, content, "2", commit="immediate")},
            }
            await bench.desire(**desired)
            await until_phase(bench, "committed")
    [model] = (tmp_path / "module").rglob("models/*/*.onnx")
    body = bytearray(model.read_bytes())
    body[len(body) // 2] ^= 1
    model.write_bytes(body)
    async with inference(tmp_path / "module") as bench:
        await bench.desire(**desired)
        told = await until_phase(bench, "rolled_back")
        assert "damaged" in told["reason"]
        spec = await until(lambda: next((one for one in bench.specs()), None), timeout_s=60)
        assert spec.version.startswith("first-1/")


async def test_frames_without_an_answer_during_the_probation_bring_the_former_back(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    content = archive(first, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        await bench.desire(
            model={"path": str(first)},
            runtime=UNMEASURED,
            score=0.3,
            models={"first": release(url, content, "2", commit="immediate", probation_s=3600, failures_max=0)},
        )
        await until_phase(bench, "probation")
    spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
    # A tensor of another size than the model takes: the engine refuses it, as a broken one would every frame.
    bench.send(np.zeros((8, 8, 3), np.uint8), spec.version)
    told = await until_phase(bench, "rolled_back")
    assert "1 frame went unanswered" in told["reason"]
    assert (await bench.answered(random_picture(2, HW), serving)).model == serving


async def test_a_release_comes_from_a_registry(bench: Bench, first: Path, tmp_path: Path) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    archive(first, tmp_path, "2")
    files = dict(bundle_files(load_bundle(tmp_path / "v2")))
    with registry(tmp_path / "registry") as address:
        place = f"oci://{address}/models/parts"
        digest = push(Registry(read_reference(place)), files)
        wanted = {
            "version": "2",
            "source": place,
            "sha256": digest.removeprefix("sha256:"),
            "size": sum(map(len, files.values())),
            "rollout": {**TRIAL, "commit": "immediate"},
        }
        await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, score=0.3, models={"first": wanted})
        assert (await until_phase(bench, "committed", "rejected"))["phase"] == "committed", state(bench)
    spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
    assert (await bench.answered(random_picture(3, HW), spec.version)).model == spec.version


async def test_a_shared_access_signature_goes_to_its_host_and_appears_nowhere(
    bench: Bench, first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    content, sas = archive(first, tmp_path, "2"), "sv=2026-01-01&sig=c2VjcmV0LW9mLXRoZS1ibG9i%3D"
    does = Behaviour(content, statuses=[503])
    bench.service.env.secrets.mkdir(parents=True, exist_ok=True)
    with serve(does) as url:
        wanted = {**release(url, content, "2", commit="immediate"), "secret": "MODELS"}
        await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, score=0.3, models={"first": wanted})
        await until(lambda: "MODELS" in state(bench).get("reason", ""), timeout_s=60, what="the secret is missing")
        assert not does.asked
        (bench.service.env.secrets / "MODELS.host").write_text("127.0.0.1\n")
        (bench.service.env.secrets / "MODELS").write_text(f"?{sas}\n")
        assert (await until_phase(bench, "committed", "rejected"))["phase"] == "committed", state(bench)
    assert all(asked["path"].endswith(f"/parts.zip?{sas}") for asked in does.asked)
    assert "c2VjcmV0" not in str(bench.reported()) + capsys.readouterr().out


async def test_a_secret_of_another_host_is_refused(bench: Bench, first: Path, tmp_path: Path) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    content = archive(first, tmp_path, "2")
    bench.service.env.secrets.mkdir(parents=True, exist_ok=True)
    (bench.service.env.secrets / "MODELS.host").write_text("models.example.com\n")
    (bench.service.env.secrets / "MODELS").write_text("sig=x\n")
    does = Behaviour(content)
    with serve(does) as url:
        wanted = {**release(url, content, "2", commit="immediate"), "secret": "MODELS"}
        await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, score=0.3, models={"first": wanted})
        told = await until_phase(bench, "rejected", "committed")
    assert "is not for the host '127.0.0.1'" in told["reason"]
    assert not does.asked
