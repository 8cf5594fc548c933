"""Bundles pushed to and pulled from a real container registry, which is not believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support import models
from support.registry import USER, registry
from vigie.errors import DownloadRefusedError
from vigie.models import load_bundle
from vigie.models.download import Conduct
from vigie.models.oci import Registry, pull, push, read_reference
from vigie_devkit.cli import main
from vigie_devkit.models.importer import import_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    return import_model(models.save(models.yolox(), folder), folder / "parts", name="parts")


def quiet(_line: str) -> None:
    """Progress nobody looks at."""


def get(address: str, sha256: str, folder: Path, *, credentials: str = "", limit: int = 1 << 24) -> Path:
    target = folder / "pulled"
    target.mkdir(parents=True)
    place = Registry(read_reference(f"oci://{address}/models/parts"), credentials)
    pull(
        place,
        sha256,
        limit_bytes=limit,
        downloads=folder / "downloads",
        target=target,
        conduct=Conduct(quiet, pause=lambda _s: None),
    )
    return target


def put(address: str, bundle: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["models", "push", str(bundle), f"oci://{address}/models/parts:1", *more]) == 0
    out = capsys.readouterr().out
    return next(line.split()[1] for line in out.splitlines() if line.startswith("  sha256"))


def test_a_bundle_comes_back_as_it_was_pushed(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with registry(tmp_path / "registry") as address:
        sha256 = put(address, bundle, capsys)
        assert put(address, bundle, capsys) == sha256, "the same bundle has another digest"
        pulled = get(address, sha256, tmp_path / "device")
    assert load_bundle(pulled).digest == load_bundle(bundle).digest
    assert {file.name for file in pulled.iterdir()} == {file.name for file in bundle.iterdir()}


def test_a_registry_that_wants_a_password_gets_it_and_says_no_without(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "credentials").write_text(USER + "\n")
    with registry(tmp_path / "registry", with_password=True) as address:
        sha256 = put(address, bundle, capsys, "--credentials", str(tmp_path / "credentials"))
        pulled = get(address, sha256, tmp_path / "device", credentials=USER)
        with pytest.raises(DownloadRefusedError, match="asks for a user and a password"):
            get(address, sha256, tmp_path / "stranger")
        with pytest.raises(DownloadRefusedError, match="answers 401"):
            get(address, sha256, tmp_path / "liar", credentials="line:wrong")
    assert load_bundle(pulled).digest == load_bundle(bundle).digest


@pytest.mark.parametrize("what", ["a file", "the manifest"])
def test_bytes_that_were_tampered_with_in_the_registry_are_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    with registry(tmp_path / "registry") as address:
        sha256 = put(address, bundle, capsys)
        model = hashlib.sha256((bundle / "fp32.onnx").read_bytes()).hexdigest()
        [blob] = (tmp_path / "registry").rglob(f"{model if what == 'a file' else sha256}/data")
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
        with pytest.raises(DownloadRefusedError):
            get(address, sha256, tmp_path / "device")
    assert not (tmp_path / "device/pulled/fp32.onnx").exists()


def test_an_artifact_larger_than_was_asked_for_is_refused_before_it_is_fetched(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with registry(tmp_path / "registry") as address:
        sha256 = put(address, bundle, capsys)
        with pytest.raises(DownloadRefusedError, match="1000 were expected"):
            get(address, sha256, tmp_path / "device", limit=1000)
    assert not (tmp_path / "device/downloads").exists()


@pytest.mark.parametrize("name", ["../card.yaml", "/etc/passwd", "a/b", "", ".hidden", "a\0b"])
def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with registry(tmp_path / "registry") as address:
        place = Registry(read_reference(f"oci://{address}/models/parts:1"))
        digest = push(place, {"card.yaml": b"x"})
        url = f"{place.reference.base}/manifests/{digest}"
        with place.ask(url, {"Accept": "application/vnd.oci.image.manifest.v1+json"}) as answer:
            manifest = json.load(answer)
        manifest["layers"][0]["annotations"]["org.opencontainers.image.title"] = name
        content = json.dumps(manifest).encode()
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        with place.ask(f"{place.reference.base}/manifests/evil", kind, method="PUT", body=content) as done:
            done.read()
        with pytest.raises(DownloadRefusedError, match="a bundle holds plain files"):
            get(address, hashlib.sha256(content).hexdigest(), tmp_path / "device")
    assert [path.name for path in tmp_path.rglob("passwd")] == []


@pytest.mark.parametrize(
    "text", ["https://x.org/a", "oci://", "oci://x.org", "oci://x.org/../a", "oci://u:p@x.org/a", "oci://x.org/A B"]
)
def test_what_is_not_an_address_of_an_artifact_is_refused(text: str) -> None:
    with pytest.raises(DownloadRefusedError, match="expected oci://"):
        read_reference(text)
