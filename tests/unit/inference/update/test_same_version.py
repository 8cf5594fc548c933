"""A version names one set of files: other weights under it are refused, the same files packed anew are not."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from support import models
from support.file_server import Behaviour, serve
from support.inference import inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release, state
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.shelf import export_bundle

ENDED = {"committed", "rejected", "rolled_back"}


def _packed_anew(packed: Path, target: Path) -> bytes:
    """The same files in an archive of another hash."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as stored:
        for entry in source.infolist():
            stored.writestr(entry.filename, source.read(entry))
    return target.read_bytes()


async def test_other_weights_under_a_version_that_is_here_are_refused_and_the_same_files_packed_anew_are_not(
    tmp_path: Path,
) -> None:
    names = list(models.NAMES)
    first = import_model(
        models.save(models.yolox(HW), tmp_path, "first.onnx"), tmp_path / "first", name="first", labels=names
    )
    file = models.save(models.yolov8(HW), tmp_path, "other.onnx")
    like_one, like_two = (
        export_bundle(
            import_model(file, tmp_path / f"other-{version}", name="first", version=version, labels=names),
            tmp_path / f"other-{version}.zip",
        ).read_bytes()
        for version in ("1", "2")
    )
    two = archive(first, tmp_path, "2")
    again = _packed_anew(tmp_path / "2.zip", tmp_path / "again.zip")
    assert len({hashlib.sha256(one).hexdigest() for one in (two, again)}) == 2
    cases = [
        (like_one, "1", "rejected", "first 1 is what serves now, with other files"),
        (two, "2", "committed", ""),
        (like_two, "2", "rejected", "first 2 is on this device already with other files"),
        (again, "2", "committed", ""),
    ]
    async with inference(tmp_path / "module") as bench:
        await bench.serve(first, score=0.3, runtime=UNMEASURED)
        for content, version, phase, reason in cases:
            sha256 = hashlib.sha256(content).hexdigest()
            with serve(Behaviour(content)) as url:
                wanted = release(url, content, version, commit="immediate")
                await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, score=0.3, models={"first": wanted})
                told = await until(
                    lambda sha256=sha256: (
                        one if (one := state(bench)).get("sha256") == sha256 and one["phase"] in ENDED else None
                    ),
                    timeout_s=60,
                )
            assert told["phase"] == phase, told
            assert reason in told.get("reason", ""), told
        store = next((tmp_path / "module").rglob("models/record.json")).parent
        assert not (store / hashlib.sha256(like_two).hexdigest()[:16]).exists(), "what was refused stays on the disk"
        spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
        assert (await bench.answered(random_picture(3, HW), spec.version)).model == spec.version
