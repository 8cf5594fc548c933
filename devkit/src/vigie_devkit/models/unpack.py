"""A cloud service's export as it was downloaded: a zip with one ONNX file and the class names beside it.

Azure Custom Vision packs ``model.onnx`` and ``labels.txt``, Azure AutoML ``model.onnx`` and ``labels.json``.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vigie.errors import ModelError, ModelFileError
from vigie.models.bundle import MODEL_BYTES_MAX
from vigie_devkit.models.labels import read_labels

_ENTRIES_MAX = 256
_LABEL_BYTES_MAX = 1 << 20


@contextlib.contextmanager
def unpacked(file: Path) -> Iterator[tuple[Path, tuple[str, ...] | None]]:
    """The ONNX file and the class names of an export; what is not a zip passes through. Only these two are unpacked.

    Raises: ModelFileError: not one ONNX file in it, too large, encrypted or damaged.
    """
    if file.suffix.lower() != ".zip":
        yield file, None
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(file) as archive:
                model = _take(
                    archive, _only_model(archive, file), Path(folder) / f"{file.stem}.onnx", MODEL_BYTES_MAX, file
                )
                labels = _labels(archive, Path(folder), file)
        except ModelError:
            raise
        except Exception as error:  # zipfile raises what the bytes make it raise: zlib.error, RuntimeError, ...
            raise ModelFileError(str(file), f"cannot be unpacked: {error}; download it again") from error
        yield model, labels


def _only_model(archive: zipfile.ZipFile, file: Path) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) > _ENTRIES_MAX:
        raise ModelFileError(str(file), f"holds {len(entries)} files, an export has at most {_ENTRIES_MAX}")
    models = [entry for entry in entries if entry.filename.lower().endswith(".onnx")]
    if len(models) != 1:
        names = ", ".join(entry.filename for entry in entries[:8]) or "nothing"
        raise ModelFileError(
            str(file), f"holds {len(models)} ONNX files ({names}); export as ONNX, or unpack it and pass the file"
        )
    return models[0]


def _labels(archive: zipfile.ZipFile, folder: Path, file: Path) -> tuple[str, ...] | None:
    for entry in archive.infolist():
        name = PurePosixPath(entry.filename).name.lower()
        if name in {"labels.txt", "labels.json"}:
            taken = _take(archive, entry, folder / name, _LABEL_BYTES_MAX, file)
            return read_labels(taken) if name.endswith(".txt") else _from_json(taken, file)
    return None


def _from_json(taken: Path, file: Path) -> tuple[str, ...]:
    try:
        names = json.loads(taken.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(str(file), "its labels.json is not JSON; pass --labels") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ModelFileError(str(file), "its labels.json is not a list of names; pass --labels")
    return tuple(names)


def _take(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int, file: Path) -> Path:
    """One entry under a name of ours, at most ``limit`` bytes whatever the archive says of it."""
    if entry.file_size > limit:
        raise ModelFileError(str(file), f"{entry.filename} has {entry.file_size} bytes, at most {limit} are read")
    with archive.open(entry) as packed, target.open("wb") as out:
        left = limit
        while part := packed.read(min(1 << 20, left + 1)):
            left -= len(part)
            if left < 0:
                raise ModelFileError(str(file), f"{entry.filename} unpacks to more than {limit} bytes")
            out.write(part)
    return target
