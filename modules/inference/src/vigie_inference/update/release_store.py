"""Where updates keep bundles: unpacked and verified under a name of their own; half-written ones never count.

Layout of the folder: ``record.json`` (what serves, what served, what ended), ``downloads/`` (archives as they grow),
one folder per bundle. A folder that begins with a dot is being written and is removed at the next start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from vigie.config.atomic import sync_path, write_atomically
from vigie.errors import BundleError, BundlePathError
from vigie.log import get_logger
from vigie.models import Bundle, load_bundle
from vigie.models.archive import unpack_bundle
from vigie.models.download import Conduct, ExpectedFile, copy_in, download
from vigie.models.oci import Registry, pull, read_reference
from vigie_inference.update.record import Record, StoredBundle, folders_in_use
from vigie_inference.update.release import Release

log = get_logger("inference")

_RECORD = "record.json"
_DOWNLOADS = "downloads"
_FOR = "for"


class ReleaseStore:
    """Used by one thread at a time."""

    def __init__(self, root: Path, shelves: tuple[Path, ...]) -> None:
        """``shelves``: the only folders that a ``file://`` source may lie in."""
        self.root, self._shelves = root, shelves

    @property
    def downloads(self) -> Path:
        return self.root / _DOWNLOADS

    def share_there(self, release: Release) -> float:
        """How much of the archive has come, 0..1."""
        if not self.downloads.is_dir():
            return 0.0
        there = sum(file.stat().st_size for file in self.downloads.rglob("*") if file.is_file())
        return round(min(1.0, there / release.size), 3)

    def read(self) -> Record:
        """What is on disk; a record that cannot be read is set aside, told, and taken for an empty one."""
        file = self.root / _RECORD
        try:
            return msgspec.json.decode(file.read_bytes(), type=Record)
        except FileNotFoundError:
            return Record()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("update_record_unreadable", file=str(file), reason=str(error))
            if file.exists():
                file.replace(file.with_suffix(".unreadable"))
            return Record()

    def write(self, record: Record) -> None:
        """Raises: OSError."""
        write_atomically(self.root / _RECORD, msgspec.json.format(msgspec.json.encode(record)))

    def tidy(self, record: Record) -> None:
        """Remove what no state needs: half-written bundles, and bundles that neither serve nor did before."""
        kept = {_DOWNLOADS, *folders_in_use(record)}
        for entry in self.root.iterdir() if self.root.is_dir() else ():
            if entry.is_dir() and entry.name not in kept:
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name.startswith("."):
                entry.unlink(missing_ok=True)  # a record that a kill left half-written

    def folder(self, held: StoredBundle) -> Path:
        return self.root / held.folder

    def bytes_of(self, record: Record) -> int:
        """What the releases of ``record`` take on the disk."""
        folders = (self.root / name for name in folders_in_use(record))
        return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())

    def load(self, held: StoredBundle) -> Bundle:
        """Raises: BundleError and its kind: it is damaged, or is not what was committed."""
        return load_bundle(self.folder(held), digest=held.digest)

    def fetch(self, release: Release, secret: str, conduct: Conduct) -> Path:
        """What was asked for, complete and of the right hash: an archive, or a folder of files.

        Raises: DownloadError, DownloadRefusedError, BundlePathError, OSError.
        """
        folder = self.downloads
        self._make_room(release)
        if release.source.startswith("oci:"):
            files = folder / f"{release.sha256}.files"
            shutil.rmtree(files, ignore_errors=True)
            files.mkdir(parents=True)
            registry = Registry(read_reference(release.source), secret)
            pull(registry, release.sha256, limit_bytes=release.size, downloads=folder, target=files, conduct=conduct)
            return files
        wanted = ExpectedFile(release.source, release.sha256, release.size, query=secret.removeprefix("?"))
        if release.source.startswith("file:"):
            return copy_in(wanted, self._on_a_shelf(release.source), folder)
        return download(wanted, folder, conduct)

    def _make_room(self, release: Release) -> None:
        """What another request left half-fetched goes; what this one left is gone on with."""
        told = self.downloads / _FOR
        if told.is_file() and told.read_text(encoding="utf-8") == release.sha256:
            return
        shutil.rmtree(self.downloads, ignore_errors=True)
        self.downloads.mkdir(parents=True)
        told.write_text(release.sha256, encoding="utf-8")

    def unpack(self, name: str, release: Release, key: str, fetched: Path) -> StoredBundle:
        """The bundle in ``fetched``, verified, under its own folder; what was fetched is removed.

        Raises: BundleError and its kind, CardError: refused; OSError: no room.
        """
        folder = release.sha256[:16]
        staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=self.root))
        try:
            if fetched.is_dir():
                staging.rmdir()
                fetched.rename(staging)
            else:
                unpack_bundle(fetched, staging, name=name)
            bundle = _load(staging, name, release.version)
            _sync_all(staging)
            target = self.root / folder
            if target.exists():
                shutil.rmtree(target)
            staging.rename(target)
            sync_path(self.root)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        self.forget(fetched)
        return StoredBundle(name, release.version, release.sha256, key, folder, bundle.digest)

    @staticmethod
    def forget(fetched: Path) -> None:
        if fetched.is_dir():
            shutil.rmtree(fetched, ignore_errors=True)
        fetched.unlink(missing_ok=True)

    def _on_a_shelf(self, source: str) -> Path:
        path = Path(source.removeprefix("file://"))
        for shelf in self._shelves:
            if path.is_absolute() and path.parent == shelf and ".." not in path.parts:
                return path
        shelves = ", ".join(str(shelf) for shelf in self._shelves)
        raise BundlePathError(source, f"is not a file in a folder of models ({shelves})")


def _load(folder: Path, name: str, version: str) -> Bundle:
    bundle = load_bundle(folder)
    if bundle.card.version != version:
        raise BundleError(name, f"is version {bundle.card.version}, {version} was asked for")
    return bundle


def _sync_all(folder: Path) -> None:
    """After a power loss a renamed folder must not hold files that were never written."""
    for directory, _, files in os.walk(folder):
        for name in files:
            sync_path(Path(directory) / name)
        sync_path(Path(directory))
