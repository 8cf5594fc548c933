"""The pictures of one training: rendered, a person's folder, what devices sampled; some held back to measure on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vigie.errors import DatasetError
from vigie.plurals import counted
from vigie.synthetic import LABELS
from vigie_devkit.train.dataset import Dataset, LabelledPicture, check_memory, collect
from vigie_devkit.train.folders import open_folder
from vigie_devkit.train.rendered import AGAIN_SEED, TRAIN_SEED, VALID_SEED, rendered_pictures, training_pictures
from vigie_devkit.train.request import VALID_SHARE, TrainingRequest
from vigie_devkit.train.samples import open_samples

PICTURES_MIN = 10


class Gathered(NamedTuple):
    """``valid``: by split, what to measure on."""

    labels: list[str]
    data: Dataset
    valid: dict[str, Iterator[LabelledPicture]]


class _Source(NamedTuple):
    where: Path
    labels: list[str]
    pictures: Iterator[LabelledPicture]
    size: int


def gather(request: TrainingRequest, known: Sequence[str], say: Callable[[str], None]) -> Gathered:
    """Everything that the training needs in memory.

    ``known``: labels of the detector that it starts from; kept, and first, when it learns from samples.
    Raises: DatasetError: a folder cannot be read, holds too little, or does not fit into memory.
    """
    if request.rendered:
        return _rendered(request, say)
    sources = _sources(request, known, say)
    labels = list(dict.fromkeys(label for source in sources for label in source.labels))
    taught, held_back = [], []
    for source in sources:
        if source.size < PICTURES_MIN:
            text = f"has {source.size} pictures; training needs {PICTURES_MIN}, better hundreds"
            raise DatasetError(str(source.where), text)
        apart = max(1, round(VALID_SHARE * source.size))
        say(f"reading {counted(source.size, 'picture')} from {source.where}, {apart} of them held back to measure")
        pictures = _renumbered(source, labels)
        taught.append((islice(pictures, source.size - apart), source.size - apart))
        held_back.append(pictures)
    count = sum(number for _, number in taught)
    check_memory(", ".join(str(source.where) for source in sources), count, request.size_hw)
    data = collect(chain.from_iterable(pictures for pictures, _ in taught), count, request.size_hw)
    _say_untaught(data, labels, say)
    return Gathered(labels, data, {"held-back pictures": chain.from_iterable(held_back)})


def _rendered(request: TrainingRequest, say: Callable[[str], None]) -> Gathered:
    check_memory("the rendered pictures", request.pictures, request.size_hw)
    say(f"rendering {request.pictures} pictures")
    seed = TRAIN_SEED if request.start is None else AGAIN_SEED
    data = collect(training_pictures(seed, request.pictures), request.pictures, request.size_hw)
    valid: dict[str, Iterator[LabelledPicture]] = {
        split: islice(rendered_pictures(VALID_SEED, hard=split == "hard split"), request.valid_pictures)
        for split in ("normal scenes", "hard split")
    }
    return Gathered(list(LABELS), data, valid)


def _sources(request: TrainingRequest, known: Sequence[str], say: Callable[[str], None]) -> list[_Source]:
    sources = []
    if request.samples is not None:
        samples = open_samples(request.samples, known)
        if samples.unlabelled:
            say(f"{samples.unlabelled} pictures of {request.samples} have no labels yet and are left out")
        sources.append(_Source(request.samples, samples.labels, samples.pictures(), len(samples.labelled)))
    if request.folder is not None:
        labels, pictures, count = open_folder(request.folder)
        sources.append(_Source(request.folder, labels, pictures, count))
    return sources


def _renumbered(source: _Source, labels: list[str]) -> Iterator[LabelledPicture]:
    number = np.array([labels.index(label) for label in source.labels], np.int64)
    for picture in source.pictures:
        yield replace(picture, class_ids=number[picture.class_ids])


def _say_untaught(data: Dataset, labels: list[str], say: Callable[[str], None]) -> None:
    """A class that is never seen while others are learned is forgotten."""
    seen = {int(label) for own in data.class_ids for label in own}
    missing = [label for number, label in enumerate(labels) if number not in seen]
    if missing:
        say(f"no picture to train on shows: {', '.join(missing)}; what was known of them fades (--data adds pictures)")
