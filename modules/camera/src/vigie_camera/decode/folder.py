"""Pictures in a folder, or that match a pattern, as a video: by name, one after the other."""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import Final

from vigie_camera.cause import Cause
from vigie_camera.decode.backend import (
    NOT_A_VIDEO,
    Damage,
    Decoded,
    PacketTap,
    PictureDecoder,
    PictureError,
    VideoError,
    VideoFacts,
)

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_MOST: Final = 1_000_000
_BYTES_MAX: Final = 256 << 20


def is_pictures(address: str) -> bool:
    """Whether this names pictures and not one video: a folder, or a pattern."""
    return any(sign in address for sign in "*?") or Path(address).is_dir()


class FolderVideo:
    """See ``Video``. The files are those of the moment of opening."""

    def __init__(self, address: str, pictures: PictureDecoder, interval_s: float) -> None:
        """``interval_s``: of media time between two pictures.

        Raises: VideoError: the folder holds no picture.
        """
        # Path.glob takes no absolute pattern.
        paths = glob.iglob(address) if any(sign in address for sign in "*?") else _listed(address)  # noqa: PTH207
        found = [path for path in paths if path.lower().endswith(SUFFIXES)][: _MOST + 1]
        if not found or len(found) > _MOST:
            # The same words as for a file: a twin must not learn which folders a device has.
            raise VideoError(Cause.NO_VIDEO, NOT_A_VIDEO)
        self._paths = sorted(found, key=_by_name)
        self._pictures, self._interval_s = pictures, interval_s
        self.facts = VideoFacts("pictures", interval_s, len(found))
        self.damage = Damage()
        self.packets = PacketTap()
        self._index = -1
        self._decoded = 0

    def next(self) -> Decoded | None:
        while (index := self._index + 1) < len(self._paths):
            self._index = index
            try:
                decoded = self._pictures.decode(_content(self._paths[index]))
            except (PictureError, OSError):
                self.damage.refused += 1
                continue
            self._decoded += 1
            return Decoded(decoded.format, decoded.arrays, index * self._interval_s)
        if not self._decoded:
            raise VideoError(Cause.NO_VIDEO, NOT_A_VIDEO)
        return None

    def close(self) -> None:
        self._paths = []


def _listed(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries]


def _by_name(path: str) -> list[tuple[int, str]]:
    """Numbers by their value: 2.jpg comes before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path)]


def _content(path: str) -> bytes:
    # O_NONBLOCK: opening a FIFO would wait for a writer that may never come.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= _BYTES_MAX:
            raise PictureError("not a picture")
        return file.read(_BYTES_MAX)
