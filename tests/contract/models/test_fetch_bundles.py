"""Archives and catalogues: a hostile one is refused, a fetched bundle serves by its name."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support import models
from support.file_server import Behaviour, serve
from vigie.errors import BundleError, BundlePathError, BundleSizeError
from vigie.models import load_bundle
from vigie.models.archive import unpack_bundle
from vigie_devkit.cli import main
from vigie_devkit.local.ownership import MARKER
from vigie_devkit.models import import_model
from vigie_devkit.models.catalogue import read_catalogue
from vigie_devkit.models.shelf import export_bundle


def zipped(*entries: tuple[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = method
            archive.writestr(entry, content)
    return buffer.getvalue()


def lying_about_size() -> bytes:
    packed = bytearray(zipped(("card.yaml", b"a: 1"), ("big.onnx", bytes(40 << 20))))
    size = (40 << 20).to_bytes(4, "little")
    assert packed.count(size) == 2
    return bytes(packed.replace(size, (1000).to_bytes(4, "little")))


BAD_ARCHIVES: list[tuple[str, Callable[[], bytes], type[BundleError], str]] = [
    ("above", lambda: zipped(("card.yaml", b"a"), ("../out", b"b")), BundlePathError, "lies outside the bundle"),
    ("absolute", lambda: zipped(("card.yaml", b"a"), ("/etc/x", b"b")), BundlePathError, "lies outside the bundle"),
    ("backslash", lambda: zipped(("card.yaml", b"a"), ("..\\x", b"b")), BundlePathError, "lies outside the bundle"),
    ("drive", lambda: zipped(("card.yaml", b"a"), ("c:x", b"b")), BundlePathError, "lies outside the bundle"),
    ("link", lambda: zipped(("card.yaml", b"/etc"), mode=stat.S_IFLNK | 0o777), BundlePathError, "is a link or a"),
    ("device", lambda: zipped(("card.yaml", b""), mode=stat.S_IFCHR | 0o666), BundlePathError, "is a link or a device"),
    ("twice", lambda: zipped(("card.yaml", b"a"), ("Card.yaml", b"b")), BundlePathError, "twice"),
    ("many", lambda: zipped(*((f"f{n}", b"") for n in range(300))), BundleSizeError, "holds 300 files"),
    ("bomb", lambda: zipped(("card.yaml", bytes(40 << 20))), BundleSizeError, "unpacks to 41943040 bytes, at most"),
    ("lying-bomb", lying_about_size, BundleError, "is a damaged archive"),
    ("no-card", lambda: zipped(("model.onnx", b"a")), BundleError, "holds no card.yaml at its top"),
    ("two-cards", lambda: zipped(("a/card.yaml", b""), ("b/card.yaml", b"")), BundleError, "holds 2 card.yaml"),
    ("beside", lambda: zipped(("a/card.yaml", b""), ("x.sh", b"")), BundleError, "holds x.sh beside the bundle a"),
    ("method", lambda: zipped(("card.yaml", b"a"), method=zipfile.ZIP_LZMA), BundleError, "method than deflate"),
    ("cut", lambda: zipped(("card.yaml", b"a" * 99))[:60], BundleError, "is a damaged archive"),
    (
        "flipped",
        lambda: zipped(("card.yaml", b"abcd"), method=0).replace(b"abcd", b"abce"),
        BundleError,
        "is a damaged",
    ),
]


@pytest.mark.parametrize(
    ("make", "kind", "said"), [row[1:] for row in BAD_ARCHIVES], ids=[row[0] for row in BAD_ARCHIVES]
)
def test_a_hostile_archive_is_refused(
    tmp_path: Path, make: Callable[[], bytes], kind: type[BundleError], said: str
) -> None:
    (tmp_path / "a.zip").write_bytes(make())
    folder = tmp_path / "into"
    folder.mkdir()
    with pytest.raises(BundleError) as refused:
        unpack_bundle(tmp_path / "a.zip", folder, name="a")
    assert type(refused.value) is kind
    assert said in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "into"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 17 << 20


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write_catalogue(folder: Path, url: str, content: bytes, **more: object) -> str:
    entry = {
        "url": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "licence": "MIT",
        **more,
    }
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"schema": "vigie.catalogue/1", "models": {"best": entry}}))
    return str(file)


def packed_bundle(folder: Path) -> bytes:
    bundle = import_model(models.save(models.yolox(), folder), folder / "made")
    return export_bundle(bundle, folder / "made.zip").read_bytes()


def test_a_bundle_is_fetched_unpacked_verified_and_serves_by_its_name(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = packed_bundle(tmp_path)
    with serve(Behaviour(content, cuts=[2000])) as url:
        assert main(["models", "fetch", "best", "--catalogue", write_catalogue(tmp_path, url, content)]) == 0
    out = capsys.readouterr()
    assert f"next       ./vigie up --model {home / 'bundles/best'}" in out.out
    assert "the connection broke after 2000 of" in out.err
    assert "as the catalogue says" in out.err
    load_bundle(home / "bundles/best")
    assert main(["models", "verify", "best"]) == 0
    assert [path.name for path in (home / "downloads").iterdir()] == [MARKER]


def test_an_onnx_file_is_fetched_and_imported_as_the_catalogue_says(tmp_path: Path, home: Path) -> None:
    content = models.yolox().SerializeToString()
    with serve(Behaviour(content), "yolox%20tiny.onnx") as url:
        catalogue = write_catalogue(tmp_path, url, content, labels=list(models.NAMES), family="yolox")
        assert main(["models", "fetch", "best", "--catalogue", catalogue, "--output", str(tmp_path / "b")]) == 0
    card = load_bundle(tmp_path / "b").card
    assert (card.name, card.licence, card.labels, card.labels_from) == ("best", "MIT", models.NAMES, "file")
    assert card.source.url == url
    assert card.source.file == "yolox-tiny.onnx"


def test_a_fetch_that_fails_leaves_the_former_bundle(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = packed_bundle(tmp_path)
    with serve(Behaviour(content)) as url:
        assert main(["models", "fetch", "best", "--catalogue", write_catalogue(tmp_path, url, content)]) == 0
        former = load_bundle(home / "bundles/best").digest
    bad = zipped(("card.yaml", b"schema: vigie.card/1"))
    with serve(Behaviour(bad)) as url:
        assert main(["models", "fetch", "best", "--catalogue", write_catalogue(tmp_path, url, bad)]) == 5
    assert "vigie: model card" in capsys.readouterr().err
    assert load_bundle(home / "bundles/best").digest == former
    assert {path.name for path in (home / "bundles").iterdir()} == {"best", MARKER}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema: vigie.catalogue/1\nmodels: {}", "has no model 'best'; it has none yet; pass --catalogue FILE"),
        ("models: {}", "missing required field `schema`"),
        ("{", "is not plain YAML (ParserError)"),
        (
            "schema: vigie.catalogue/1\nmodels: {best: {url: https://x.org, sha256: 00, size_bytes: 1, licence: MIT}}",
            "$.models[...].sha256",
        ),
        ("schema: vigie.catalogue/1\nmodels: {best: {url: https://x.org/m, size_bytes: 1, licence: MIT}}", "`sha256`"),
    ],
    ids=["unknown", "no-schema", "no-yaml", "bad-hash", "no-hash"],
)
def test_a_catalogue_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    assert main(["models", "fetch", "best", "--catalogue", str(tmp_path / "c.yaml")]) == 3
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_the_catalogue_that_ships_can_be_read() -> None:
    assert (
        read_catalogue(Path(models.__file__).parents[2] / "devkit/src/vigie_devkit/models/catalogue.yaml").models == {}
    )
