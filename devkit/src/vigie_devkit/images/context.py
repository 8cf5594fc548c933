"""The build context as a stream: what the Dockerfile copies, and the wheels, without writing into the checkout."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from vigie_devkit.images.catalogue import Image
from vigie_devkit.local.paths import CHECKOUT

GIVEN = ".image-build"
_FILES = ("LICENSE", "THIRD_PARTY_NOTICES.md", "deploy/image/assemble.py", "devkit/requirements/build.lock")
# The engine's cache compares contents and modes; owners and ages differ from one checkout to the next.
_AGE = 315532800


def write_context(image: Image, wheels: Sequence[Path], stream: IO[bytes]) -> None:
    """Write the context of ``image`` to ``stream`` as an uncompressed tar."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in files_of(image):
            _add(tar, path, str(path.relative_to(CHECKOUT)))
        for path in wheels:
            _add(tar, path, f"{GIVEN}/{path.name}")


def files_of(image: Image) -> Iterator[Path]:
    """The checkout's files that ``image`` is built from, sorted."""
    names = [
        *_FILES,
        image.dockerfile,
        image.lock,
        image.sbom,
        *(f"{folder}/pyproject.toml" for folder in image.folders),
    ]
    folders = [f"{folder}/src" for folder in image.folders] + (["shared/models"] if image.models else [])
    yield from (CHECKOUT / name for name in names)
    for folder in folders:
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tar.gettarinfo(path, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    entry.mtime = _AGE
    with path.open("rb") as file:
        tar.addfile(entry, file)
