"""``models fetch``: from a name in a catalogue to a bundle in its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from vigie.models.archive import unpack_bundle
from vigie.models.download import Conduct, ExpectedFile, download
from vigie.models.link import shown
from vigie_devkit.models.catalogue import CatalogueModel
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.labels import COCO80
from vigie_devkit.models.writer import bundle_name, staged

_ZIP = b"PK\x03\x04"


def fetch_bundle(name: str, entry: CatalogueModel, target: Path, downloads: Path, say: Callable[[str], None]) -> Path:
    """Download, verify and put in place; ``target`` is made or replaced as a whole, or not touched.

    Args: downloads: folder of what has come so far; emptied of this file once the bundle is in its place.
    Raises: DownloadError, DownloadRefusedError, any error of ``import_model`` and ``load_bundle``.
    """
    say(f"fetching {name} ({entry.size_bytes / 1e6:.1f} MB, licence {entry.licence}) from {shown(entry.url)}")
    file = download(ExpectedFile(entry.url, entry.sha256, entry.size_bytes), downloads, Conduct(say))
    say(f"sha256 {entry.sha256[:12]}.. as the catalogue says")
    with file.open("rb") as content:
        packed = content.read(len(_ZIP)) == _ZIP
    folder = _place_archive(name, file, target) if packed else _place_model(name, entry, file, target)
    file.unlink(missing_ok=True)
    return folder


def _place_archive(name: str, file: Path, target: Path) -> Path:
    with staged(target) as staging:
        unpack_bundle(file, staging, name=name)
    return target.absolute()


def _place_model(name: str, entry: CatalogueModel, file: Path, target: Path) -> Path:
    labels = COCO80 if entry.labels == "coco80" else entry.labels
    # Under the name it has at its source, which the card and every error then show.
    stem = bundle_name(Path(PurePosixPath(unquote(urlsplit(entry.url).path)).name or name))
    with tempfile.TemporaryDirectory(prefix=".import-", dir=file.parent) as folder:
        named = Path(folder) / f"{stem}.onnx"
        try:
            os.link(file, named)
        except OSError:  # a file system without hard links
            shutil.copyfile(file, named)
        return import_model(
            named,
            target,
            labels=labels,
            name=name,
            family=entry.family,
            size_hw=entry.input_hw,
            feed=None if entry.input is None else input_fields(entry.input),
            licence=entry.licence,
            url=shown(entry.url),
        )
