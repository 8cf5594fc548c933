"""Every way in which an update can go wrong, by twin alone through the local hub: what serves answers all the time."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from support import models
from support.file_server import Behaviour, serve
from support.product import Home, Running
from support.releases import with_nan
from support.signing import Signer, signer, trust_file
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.shelf import export_bundle

SOURCE = "synthetic://conveyor?seed=2&fps=10&size=320x240"
HW = (64, 96)
ROLLOUT = {
    "frames": 6, "objects": 1, "share": 1.0, "probation_s": 0, "cpu_max": 1.0, "slower_max": 3, "agreement_min": 0.5
}  # fmt: skip
ENDED = ("committed", "rejected", "rolled_back")


@dataclass
class Bundles:
    """Releases of one model, packed as ``models export`` does and signed unless a case is about that."""

    folder: Path
    signer: Signer
    made: dict[str, bytes] = field(default_factory=dict)

    def first(self) -> Path:
        folder = self._imported("first", models.yolox(HW))
        self.signer.sign(folder)
        return folder

    def pack(
        self,
        version: str,
        model: onnx.ModelProto | None = None,
        *,
        signed: bool = True,
        spoil: Callable[[Path], None] = lambda _: None,
    ) -> bytes:
        folder = self._imported(f"v{version}", model or models.yolox(HW))
        spoil(folder)
        facts = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))
        facts["version"] = version
        (folder / "card.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
        if signed:
            self.signer.sign(folder)
        return export_bundle(folder, self.folder / f"{version}.zip").read_bytes()

    def _imported(self, name: str, model: onnx.ModelProto) -> Path:
        file = models.save(model, self.folder, f"{name}.onnx")
        return import_model(file, self.folder / name, name="parts", labels=list(models.NAMES))


def rezipped(content: bytes, *, flip: bool = False, outside: bool = False, bomb: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            body = source.read(entry)
            if flip and entry.filename.endswith(".onnx"):
                body = body[:-1] + bytes([body[-1] ^ 1])
            target.writestr(entry.filename, body)
        if outside:
            target.writestr("../outside.txt", "x")
        if bomb:
            target.writestr("bomb.bin", bytes(64 << 20))
    return out.getvalue()


@dataclass
class Operator:
    """Sets the twin and reads it, as somebody far away does."""

    run: Running

    def wants(self, url: str, content: bytes, version: str, *, sha256: str = "", size: int = 0, **rollout: Any) -> None:
        release = {
            "version": version,
            "source": url,
            "sha256": sha256 or hashlib.sha256(content).hexdigest(),
            "size": size or len(content),
            "rollout": {**ROLLOUT, "id": f"case-{version}", **rollout},
        }
        self.set({"models": {"parts": release}})

    def set(self, desired: dict[str, Any]) -> None:
        done = self.run.home.run("twin", "set", "inference", json.dumps(desired))
        assert done.code == 0, done.stderr

    def state(self) -> dict[str, Any]:
        return self.run.ask("inference", "get_models")

    def sees(self, version: str, *phases: str, reason: str = "") -> dict[str, Any]:
        seen: dict[str, Any] = {}

        def there() -> bool:
            seen.update(self.state())
            return seen.get("version") == version and seen.get("phase") in phases and reason in seen.get("reason", "")

        self.run.wait_until(there, timeout_s=120, what=f"version {version} in {phases} with {reason!r}; told {seen}")
        return seen


@contextmanager
def operated(tmp_path: Path, bundles: Bundles) -> Iterator[tuple[Operator, Home]]:
    home = Home(tmp_path / "home")
    trust = trust_file(tmp_path / "trust.json", bundles.signer.trusted())
    first = bundles.first()
    with home.running(SOURCE, "--model", str(first), "--pace", "realtime", VIGIE_MODEL_TRUST=str(trust)) as run:
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=90, what="detections of the first model")
        # What is measured takes a minute of this test; how candidates are measured has tests of its own.
        operator = Operator(run)
        operator.set({"runtime": {"measure": "off"}})
        yield operator, home


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_whatever_the_twin_asks_for_the_serving_model_answers_and_the_twin_tells_the_truth(tmp_path: Path) -> None:
    bundles = Bundles(tmp_path, signer())
    good = bundles.pack("2")
    slow = bundles.pack("3", models.burdened(models.yolox(HW)))
    worse = bundles.pack("4", models.yolov8(HW))
    unsigned = bundles.pack("5", signed=False)
    numberless = bundles.pack("6", spoil=with_nan)
    corrupt = rezipped(bundles.pack("7"), flip=True)
    escaping = rezipped(bundles.pack("8"), outside=True)
    bomb = rezipped(bundles.pack("9"), bomb=True)
    cases: list[tuple[str, Behaviour, bytes, str, str]] = [
        ("slower", Behaviour(slow), slow, "3", "times as long is allowed"),
        ("worse", Behaviour(worse), worse, "4", "agrees with the serving model to"),
        ("unsigned", Behaviour(unsigned), unsigned, "5", "is not signed and this device requires it"),
        ("NaN", Behaviour(numberless), numberless, "6", "holds NaN or infinity"),
        ("corrupt", Behaviour(corrupt), corrupt, "7", "sha256"),
        ("path-escaping", Behaviour(escaping), escaping, "8", "lies outside the bundle"),
        ("unpacks to too much", Behaviour(bomb), bomb, "9", "unpacks to"),
        ("truncated", Behaviour(good[:-100]), good, "10", "were expected; it is another file"),
        ("wrong hash", Behaviour(good[:-1] + bytes([good[-1] ^ 1])), good, "11", "is not the file that was asked for"),
        ("redirects for ever", Behaviour(good, hops=10_000), good, "12", "redirects more than 5 times"),
        ("error page with 200", Behaviour(b"<html>login</html>"), good, "13", "18 bytes"),
    ]
    with operated(tmp_path, bundles) as (operator, home), ExitStack() as servers:
        pid = operator.run.module_pid("inference")
        for name, does, content, version, reason in cases:
            operator.wants(servers.enter_context(serve(does)), content, version)
            told = operator.sees(version, *ENDED)
            assert (name, told["phase"]) == (name, "rejected"), told
            assert reason in told["reason"], (name, told)
            assert "serving" not in told, (name, told)

        # A server that stalls, and an operator who changes their mind meanwhile: twice, and then takes it back.
        stalling = Behaviour(good, stalls=[100] * 1000)
        url = servers.enter_context(serve(stalling))
        operator.wants(url, good, "14")
        operator.run.wait_until(lambda: len(stalling.asked) > 0, timeout_s=60, what="the download begins")
        operator.sees("14", "downloading")
        operator.wants(servers.enter_context(serve(Behaviour(good, statuses=[503] * 1000))), good, "2")
        operator.sees("2", "downloading", reason="503")
        operator.set({"models": None})
        operator.run.wait_until(
            lambda: "version" not in operator.state(), timeout_s=60, what="nothing is wanted any more"
        )
        few = Behaviour(good, hops=3)
        operator.wants(servers.enter_context(serve(few)), good, "2")
        told = operator.sees("2", *ENDED)
        assert told["phase"] == "committed", told
        assert told["serving"]["version"] == "2"
        run = operator.run
        run.wait_until(
            lambda: str((run.last_item() or {}).get("model", "")).startswith("parts-2/"),
            timeout_s=60,
            what="detections of version 2",
        )
        assert run.module_pid("inference") == pid, "the module was restarted"
        dropped = run.metrics("inference")
        for lost in ("no_model", "spec_mismatch", "inference_failed"):
            assert not any(f'reason="{lost}"' in key and value for key, value in dropped.items()), dropped
        items = home.items()
    seqs = [item["seq"] for item in items]
    assert len(seqs) == len(set(seqs)), "a frame was answered twice"
    served = {str(item["model"]).partition("/")[0] for item in items}
    assert served == {"parts-1", "parts-2"}, "a model that was refused answered a frame"
    # A machine that is busy drops frames before inference, so this is a figure and no bar.
    gaps = [after - before for before, after in zip(sorted(seqs), sorted(seqs)[1:], strict=False)]
    print(f"{len(seqs)} frames answered, the largest gap is {max(gaps)} frames")
