"""A bundle on disk: ``card.yaml`` and its files, untrusted until ``load_bundle`` has verified them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from vigie.errors import BundleError, BundleIntegrityError, BundlePathError, BundleSizeError
from vigie.models.card import CARD_BYTES_MAX, Card, CardVariant, read_card
from vigie.models.graph_files import MalformedGraphError, graph_files

CARD_FILE = "card.yaml"
TFLITE_IDENTIFIER = b"TFL3"  # of a FlatBuffer: behind the four bytes of the root's offset
# One protobuf message cannot be larger; external data may be, within reason for a box at the edge.
MODEL_BYTES_MAX = 2 << 30
BUNDLE_BYTES_MAX = 4 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelContent:
    """The bytes of a variant, verified: what a runtime loads. ``external`` by location, as the graph writes it."""

    graph: bytes
    external: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Variant:
    """One loadable file of a verified bundle. ``file`` is absolute, for people and error texts: what lies there
    may be replaced at any moment, so a runtime loads what ``read`` returns. ``card`` holds its facts.
    """

    name: str
    folder: Path
    card: CardVariant

    @property
    def file(self) -> Path:
        return self.folder / self.card.file

    def read(self) -> ModelContent:
        """The content of which the card states the sha256, read once: exactly these bytes were verified.

        Raises: BundleIntegrityError: a file was replaced since the bundle was verified. BundleError: the graph is
            damaged, or names other files than the card. BundlePathError, BundleSizeError.
        """
        where = str(self.folder)
        graph = read_verified(self.folder, self.card.file, self.card.sha256)
        if self.card.format == "tflite":
            if graph[4:8] != TFLITE_IDENTIFIER or self.card.external_files:
                raise BundleError(where, f"{self.card.file} is not one whole .tflite file; attach the model again")
            return ModelContent(graph, {})
        try:
            found = graph_files(graph)
        except MalformedGraphError as error:
            raise BundleError(
                where, f"{self.card.file} is damaged: {error}; import or fetch the model again"
            ) from error
        if found.contexts:
            raise BundleError(
                where,
                f"{self.card.file} holds parts compiled for one device, which may read any file; import the model",
            )
        if found.locations != set(self.card.external_files):
            named = ", ".join(sorted(found.locations)) or "none"
            listed = ", ".join(sorted(self.card.external_files)) or "none"
            raise BundleError(where, f"{self.card.file} names the data files {named}; the card lists {listed}")
        external = {name: read_verified(self.folder, name, sha256) for name, sha256 in self.card.external_files.items()}
        return ModelContent(graph, external)

    @property
    def precision(self) -> str:
        return self.card.precision

    @property
    def sha256(self) -> str:
        return self.card.sha256


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. ``digest`` names its content: the sha256 of card.yaml, which holds every file's sha256."""

    folder: Path
    card: Card
    digest: str

    @property
    def variants(self) -> tuple[str, ...]:
        """Names, in the order of the card: the first is the one to load when nobody chose."""
        return tuple(self.card.variants)

    def files(self) -> Iterator[tuple[str, str]]:
        """Name and sha256 of every file that the card names."""
        for variant in self.card.variants.values():
            yield variant.file, variant.sha256
            yield from variant.external_files.items()
        if self.card.reference is not None:
            yield self.card.reference.file, self.card.reference.sha256

    def variant(self, name: str | None = None) -> Variant:
        """The variant ``name``; without a name the card's first.

        Raises: BundleError: the bundle has no such variant; the text lists what it has.
        """
        chosen = self.variants[0] if name is None else name
        if chosen not in self.card.variants:
            raise BundleError(str(self.folder), f"has no variant {chosen!r}; it has {', '.join(self.variants)}")
        facts = self.card.variants[chosen]
        return Variant(chosen, self.folder, facts)


def load_bundle(path: Path | str, *, digest: str | None = None) -> Bundle:
    """Read, bound and verify a bundle folder; nothing of it is executed or unpickled.

    Every file that the card names is a plain file inside the folder (no link anywhere on its way), within the
    size limits and of the sha256 that the card states.

    Args: path: the folder, or its card.yaml. digest: of the bundle that is meant, where another process verified it.
    Raises: CardError, BundleError, BundlePathError, BundleSizeError, BundleIntegrityError.
    """
    folder = Path(path)
    folder = (folder.parent if folder.name == CARD_FILE else folder).absolute()
    if not folder.is_dir():
        raise BundleError(str(folder), "is not a folder here; a bundle is a folder with card.yaml (docs/models.md)")
    text = read_contained(folder, CARD_FILE, limit=CARD_BYTES_MAX)
    own = hashlib.sha256(text).hexdigest()
    if digest is not None and own != digest:
        raise BundleError(str(folder), f"was replaced since it was verified (card {own[:12]}.., was {digest[:12]}..)")
    card = read_card(text, where=str(folder / CARD_FILE))
    total = 0
    for name, sha256 in Bundle(folder, card, own).files():
        total += check_file(folder, name, sha256)
        if total > BUNDLE_BYTES_MAX:
            raise BundleSizeError(str(folder), f"holds more than {BUNDLE_BYTES_MAX >> 20} MiB")
    return Bundle(folder, card, own)


def check_file(folder: Path, name: str, sha256: str) -> int:
    """Verify one file of a bundle and return its size in bytes. Raises: see ``load_bundle``."""
    with _open_contained(folder, name, limit=MODEL_BYTES_MAX) as descriptor:
        digest, size = hashlib.sha256(), 0
        while chunk := os.read(descriptor.number, _CHUNK):
            digest.update(chunk)
            size += len(chunk)
    if digest.hexdigest() != sha256:
        raise BundleIntegrityError(str(folder), name, expected=sha256, got=digest.hexdigest())
    return size


def read_verified(folder: Path, name: str, sha256: str) -> bytes:
    """The bytes of a file of a bundle, of that sha256. Raises: see ``load_bundle``."""
    content = read_contained(folder, name, limit=MODEL_BYTES_MAX)
    got = hashlib.sha256(content).hexdigest()
    if got != sha256:
        raise BundleIntegrityError(str(folder), name, expected=sha256, got=got)
    return content


def read_contained(folder: Path, name: str, *, limit: int) -> bytes:
    """The bytes of a plain file inside ``folder``, at most ``limit`` of them. Raises: see ``load_bundle``."""
    with _open_contained(folder, name, limit=limit) as descriptor:
        chunks, left = [], limit + 1
        while left and (chunk := os.read(descriptor.number, min(left, _CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
    if not left:
        raise BundleSizeError(str(folder), f"{name} grew beyond {limit} bytes while it was read")
    return b"".join(chunks)


def check_contained(folder: Path, name: str, *, limit: int) -> int:
    """The size of a plain file inside ``folder`` that may be read. Raises: see ``load_bundle``."""
    with _open_contained(folder, name, limit=limit) as descriptor:
        return os.fstat(descriptor.number).st_size


class _open_contained:  # noqa: N801  # reads as the function it is
    """Open ``name`` under ``folder`` step by step with O_NOFOLLOW, so no link can be swapped in between."""

    def __init__(self, folder: Path, name: str, *, limit: int) -> None:
        self._folder, self._name, self._limit = folder, name, limit
        self.number = -1

    def __enter__(self) -> Self:
        parts = _contained_parts(self._folder, self._name)
        at = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                below = self._step(at, part, os.O_DIRECTORY)
                os.close(at)
                at = below
            self.number = self._step(at, parts[-1], os.O_NONBLOCK)  # a FIFO must not hang the open
        finally:
            os.close(at)
        try:
            self._bound()
        except BundleError:
            os.close(self.number)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)

    def _step(self, at: int, part: str, flags: int) -> int:
        try:
            return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=at)
        except FileNotFoundError:
            raise BundleError(str(self._folder), f"lacks {self._name}; import or fetch the model again") from None
        except OSError as error:
            if part_is_link(at, part):
                raise BundlePathError(
                    str(self._folder), f"{self._name} goes through a link; a bundle holds plain files only"
                ) from None
            raise BundleError(str(self._folder), f"{self._name} cannot be read: {error.strerror}") from error

    def _bound(self) -> None:
        facts = os.fstat(self.number)
        if not stat.S_ISREG(facts.st_mode):
            raise BundlePathError(str(self._folder), f"{self._name} is not a regular file")
        if facts.st_size > self._limit:
            raise BundleSizeError(
                str(self._folder), f"{self._name} has {facts.st_size} bytes, at most {self._limit} are read"
            )


def part_is_link(at: int, part: str) -> bool:
    """Whether ``part`` in the open folder ``at`` is a symbolic link."""
    try:
        return stat.S_ISLNK(os.stat(part, dir_fd=at, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _contained_parts(folder: Path, name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name or "\0" in name:
        raise BundlePathError(str(folder), f"names {name!r}, which lies outside the bundle")
    return path.parts
