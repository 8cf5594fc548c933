"""Pictures that devices chose and people labelled: a folder with ``samples.jsonl``, as sampling wrote it.

A picture is taught only if somebody said what is in it. What the model saw in it is not that: taught by its own
answers, a detector learns its mistakes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.samples import MANIFEST, Sample
from vigie.errors import DatasetError
from vigie_devkit.train.dataset import LabelledPicture
from vigie_devkit.train.folders import (
    NAME_FILES,
    MarkedObject,
    coco_rows,
    marked_picture,
    read_text,
    yolo_labels,
    yolo_rows,
)

LABELLED_MIN = 10


class Labelled(NamedTuple):
    """What somebody said is in one picture; no row: nothing is in it."""

    sample: Sample
    rows: list[MarkedObject]


class Samples(NamedTuple):
    """``labels`` in the order that the network numbers them; ``unlabelled``: pictures that nobody looked at yet."""

    labels: list[str]
    labelled: list[Labelled]
    unlabelled: int
    folder: Path

    def pictures(self) -> Iterator[LabelledPicture]:
        """In the order of the manifest. Raises: DatasetError: a file is missing, or is not the one that was chosen."""
        position = {label: index for index, label in enumerate(self.labels)}
        for one in self.labelled:
            frame_bgr = _read(self.folder, one.sample)
            # What was blurred for privacy is neither object nor background, of whatever class.
            rows = [
                *one.rows,
                *(MarkedObject(label, box, ignore=True) for box in one.sample.hidden for label in self.labels),
            ]
            yield marked_picture(frame_bgr, rows, position)


def open_samples(folder: Path, known: Sequence[str] = ()) -> Samples:
    """The labelled pictures of ``folder``. ``known``: labels of the detector that is trained on, which come first.

    Labels are ``truth`` in the manifest, or one of the formats of ``folders`` beside it: ``annotations.json`` (COCO,
    ``file_name`` as in the manifest), or ``classes.txt`` or ``data.yaml`` with one ``.txt`` per picture, beside it or
    under ``labels/`` (YOLO). A picture without a row in COCO's ``images``, or without a ``.txt``, is not labelled yet.
    Raises: DatasetError: no manifest, a line that is not a sample, labels in two places or in none.
    """
    samples = _manifest(folder)
    beside = [name for name in NAME_FILES if (folder / name).is_file()]
    told = [one.picture for one in samples if one.truth is not None]
    ways = [*beside, *([f"truth in {MANIFEST}"] if told else [])]
    if len(ways) > 1:
        raise DatasetError(str(folder), f"has labels in {len(ways)} places: {', '.join(ways)}; leave one of them")
    if not ways:
        raise DatasetError(
            str(folder),
            f"holds {len(samples)} pictures and no labels; what the model saw is not the truth. Label them with a tool "
            "that writes COCO (annotations.json) or YOLO (classes.txt and a .txt per picture) into this folder",
        )
    if told:
        labelled = [
            Labelled(one, [MarkedObject(row.label, row.box_xyxy) for row in one.truth])
            for one in samples
            if one.truth is not None
        ]
    elif beside[0] == NAME_FILES[0]:
        labelled = _from_coco(folder, samples)
    else:
        labelled = _from_yolo(folder, samples, folder / beside[0])
    if len(labelled) < LABELLED_MIN:
        raise DatasetError(
            str(folder), f"has labels for {len(labelled)} of {len(samples)} pictures; training needs {LABELLED_MIN}"
        )
    new = sorted({label for one in labelled for label in (row.label for row in one.rows)} - set(known))
    if not known and not new:
        raise DatasetError(str(folder), "labels no object in any picture")
    return Samples([*known, *new], labelled, len(samples) - len(labelled), folder)


def _manifest(folder: Path) -> list[Sample]:
    """Each picture once: of a line that was written twice the last one counts."""
    file = folder / MANIFEST
    if not file.is_file():
        raise DatasetError(str(folder), f"has no {MANIFEST}; name the folder that sampling wrote, or use --data")
    samples: dict[str, Sample] = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            sample = msgspec.json.decode(line, type=Sample)
        except msgspec.DecodeError as error:
            raise DatasetError(str(file), f"line {number} is not a sample: {error}") from error
        for row in sample.truth or ():
            _check_box(row.box_xyxy, file, f"line {number}")
        samples[sample.picture] = sample
    if not samples:
        raise DatasetError(str(file), "names no picture")
    return list(samples.values())


def _from_coco(folder: Path, samples: list[Sample]) -> list[Labelled]:
    rows = coco_rows(folder / NAME_FILES[0])
    _no_strangers(folder / NAME_FILES[0], set(rows), samples)
    return [Labelled(one, rows[one.picture]) for one in samples if one.picture in rows]


def _from_yolo(folder: Path, samples: list[Sample], names: Path) -> list[Labelled]:
    labels = yolo_labels(names)
    labelled = []
    for one in samples:
        beside = (folder / one.picture).with_suffix(".txt")
        under = (folder / "labels" / one.picture).with_suffix(".txt")
        files = [file for file in (beside, under) if file.is_file()]
        if len(files) > 1:
            raise DatasetError(str(beside), f"labels the same picture as {under}; leave one of them")
        if files:
            labelled.append(Labelled(one, yolo_rows(files[0], one.frame_hw, labels)))
    return labelled


def _no_strangers(file: Path, named: set[str], samples: list[Sample]) -> None:
    """Labels of pictures that nobody sampled: most likely names that a tool changed, so nothing would be labelled."""
    strangers = sorted(named - {one.picture for one in samples})
    if strangers:
        raise DatasetError(
            str(file),
            f"labels {strangers[0]!r}, which {MANIFEST} does not name (it names e.g. {samples[0].picture!r}); "
            "file_name is the picture's path in this folder",
        )


def _check_box(box: tuple[float, float, float, float], file: Path, where: str) -> None:
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise DatasetError(str(file), f"{where}: a box of truth has no size: {json.dumps(box)}")


def _read(folder: Path, sample: Sample) -> NDArray[np.uint8]:
    """The picture, from bytes that are those which were sampled."""
    path = folder / sample.picture
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(str(path), f"cannot be read ({type(error).__name__}); {MANIFEST} names it") from error
    if hashlib.sha256(content).hexdigest() != sample.sha256:
        raise DatasetError(str(path), f"is not the picture that {MANIFEST} names: its sha256 differs")
    frame_bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if frame_bgr is None or frame_bgr.shape[:2] != sample.frame_hw:
        got = "no picture" if frame_bgr is None else f"{frame_bgr.shape[0]}x{frame_bgr.shape[1]}"
        raise DatasetError(
            str(path), f"expected a picture of {sample.frame_hw[0]}x{sample.frame_hw[1]} as {MANIFEST} says, got {got}"
        )
    return np.asarray(frame_bgr, np.uint8)
