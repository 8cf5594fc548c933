"""Unpack a zipped bundle that nobody has vouched for: plain files, inside the folder, within bounds."""

from __future__ import annotations

import errno
import stat
import zipfile
from pathlib import Path, PurePosixPath

from vigie.errors import BundleError, BundlePathError, BundleSizeError
from vigie.models.bundle import BUNDLE_BYTES_MAX, CARD_FILE

ENTRIES_MAX = 256
# Weights hardly compress: measured 1.1 times in float32, 2 in sparse int8. Deflate itself reaches 1032.
RATIO_MAX = 100
SMALL_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_OF_THE_ARCHIVE = (FileExistsError, NotADirectoryError, IsADirectoryError)


def unpack_bundle(archive: Path, folder: Path, *, name: str) -> None:
    """Unpack the bundle in ``archive`` into the empty ``folder``, so that ``folder/card.yaml`` is its card.

    The card lies at the top of the archive or in its one top folder. What was unpacked is not verified yet: that is
    ``load_bundle``'s work.

    Args: name: what to call the archive in errors.
    Raises: BundleError: no zip, damaged, encrypted or without a card. BundlePathError: an entry that would lie outside,
        twice, or is no plain file. BundleSizeError: too many entries, or too much once unpacked.
    """
    limit = min(BUNDLE_BYTES_MAX, max(SMALL_BYTES, RATIO_MAX * archive.stat().st_size))
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            _check(entries, limit, name)
            top = _top(entries, name)
            for entry in entries:
                path = PurePosixPath(entry.filename).relative_to(top)
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                limit -= _write(opened, entry, target, limit, name)
    except BundleError:
        raise
    except OSError as error:
        # EINVAL: an entry that is said to begin before the file does.
        if not isinstance(error, _OF_THE_ARCHIVE) and error.errno != errno.EINVAL:
            raise  # the disk's: the caller says where
        raise BundleError(name, f"names a file that cannot be ({error})") from error
    except Exception as error:  # zipfile raises what the bytes make it raise: RuntimeError, AttributeError, ...
        raise BundleError(name, f"is a damaged archive ({error}); fetch it again") from error


def _check(entries: list[zipfile.ZipInfo], limit: int, name: str) -> None:
    if len(entries) > ENTRIES_MAX:
        raise BundleSizeError(name, f"holds {len(entries)} files, a bundle at most {ENTRIES_MAX}")
    seen: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        # ZipInfo cuts names at a NUL and turns backslashes on Windows: judge what the archive really says.
        if path.is_absolute() or ".." in path.parts or any(bad in entry.orig_filename for bad in "\\\0:"):
            raise BundlePathError(name, f"names {entry.orig_filename!r}, which lies outside the bundle")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            raise BundlePathError(name, f"{entry.filename} is a link or a device; a bundle holds plain files only")
        if str(path).casefold() in seen:
            raise BundlePathError(name, f"names {entry.filename} twice")
        seen.add(str(path).casefold())
        if entry.flag_bits & _ENCRYPTED:
            raise BundleError(name, f"{entry.filename} is encrypted; pack the bundle without a password")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise BundleError(name, f"{entry.filename} is packed by another method than deflate; pack it again")
    total = sum(entry.file_size for entry in entries)
    if total > limit:
        raise BundleSizeError(name, f"unpacks to {total} bytes, at most {limit} are for an archive of its size")


def _top(entries: list[zipfile.ZipInfo], name: str) -> PurePosixPath:
    """The folder inside the archive that is the bundle."""
    cards = [PurePosixPath(entry.filename) for entry in entries if PurePosixPath(entry.filename).name == CARD_FILE]
    tops = {card.parent for card in cards if len(card.parts) <= 2}
    if len(tops) != 1:
        raise BundleError(name, f"holds {len(tops) or 'no'} {CARD_FILE} at its top; an archive is one bundle")
    top = tops.pop()
    strangers = [entry.filename for entry in entries if not PurePosixPath(entry.filename).is_relative_to(top)]
    if strangers:
        raise BundleError(name, f"holds {strangers[0]} beside the bundle {top}; an archive is one bundle")
    return top


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int, name: str) -> int:
    """Bytes written. What an entry says of its size is not believed."""
    written = 0
    with opened.open(entry) as packed, target.open("xb") as file:
        while chunk := packed.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > limit:
                raise BundleSizeError(name, f"{entry.filename} unpacks to more than it says; it is a bomb")
            file.write(chunk)
    return written
