"""Where updates keep bundles: unpacked and verified under a name of their own; half-written ones never count.

Layout of the folder: ``record.json`` (what serves, what served, what ended), ``downloads/`` (archives as they grow),
one folder per bundle. A folder that begins with a dot is being written and is removed at the next start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.errors import BundleError, BundlePathError
from vigie.log import get_logger
from vigie.models import Bundle, load_bundle
from vigie.models.archive import unpack_bundle
from vigie.models.download import Wanted, copy_in, download
from vigie_inference.update.record import Held, Record, folders_in_use
from vigie_inference.update.release import Release

log = get_logger("inference")

_RECORD = "record.json"
_DOWNLOADS = "downloads"


class Store:
    """Used by one thread at a time."""

    def __init__(self, root: Path, shelves: tuple[Path, ...]) -> None:
        """``shelves``: the only folders that a ``file://`` source may lie in."""
        self.root, self._shelves = root, shelves

    @property
    def downloads(self) -> Path:
        return self.root / _DOWNLOADS

    def share_there(self, release: Release) -> float:
        """How much of the archive has come, 0..1."""
        part = self.downloads / f"{release.sha256}.part"
        return round(part.stat().st_size / release.size, 3) if part.exists() else 0.0

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

    def folder(self, held: Held) -> Path:
        return self.root / held.folder

    def load(self, held: Held) -> Bundle:
        """Raises: BundleError and its kind: it is damaged, or is not what was committed."""
        bundle = load_bundle(self.folder(held))
        if bundle.digest != held.digest:
            raise BundleError(str(bundle.folder), "is not the bundle that was committed; its card has changed")
        return bundle

    def fetch(self, release: Release, say: Callable[[str], None], pause: Callable[[float], None]) -> Path:
        """The archive, complete and of the right hash. Raises: see ``vigie.models.download``."""
        wanted = Wanted(release.source, release.sha256, release.size)
        folder = self.downloads
        if release.source.startswith("file:"):
            return copy_in(wanted, self._on_a_shelf(release.source), folder)
        return download(wanted, folder, say, pause=pause)

    def unpack(self, name: str, release: Release, key: str, archive: Path) -> Held:
        """The bundle in ``archive``, verified, under its own folder; the archive is removed.

        Raises: BundleError and its kind, CardError: refused; OSError: no room.
        """
        folder = release.sha256[:16]
        staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=self.root))
        try:
            unpack_bundle(archive, staging, name=name)
            bundle = _load(staging, name, release.version)
            _sync_all(staging)
            target = self.root / folder
            if target.exists():
                shutil.rmtree(target)
            staging.rename(target)
            _sync(self.root)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        self.forget(archive)
        return Held(name, release.version, release.sha256, key, folder, bundle.digest)

    @staticmethod
    def forget(archive: Path) -> None:
        archive.unlink(missing_ok=True)

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
            _sync(Path(directory) / name)
        _sync(Path(directory))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
