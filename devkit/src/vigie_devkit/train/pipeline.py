"""From pictures to a bundle: render or read, train, write the graph, import it, measure it, note it in the card."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import onnx

from vigie.errors import DatasetError
from vigie.models import load_bundle
from vigie.models.card import Card, CardVariant, Evidence, write_card
from vigie.synthetic import LABELS
from vigie_devkit.accuracy.average_precision import Accuracy
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.writer import bundle_name
from vigie_devkit.train.dataset import Dataset, Picture, check_memory, collect
from vigie_devkit.train.evaluate import evaluate
from vigie_devkit.train.export import to_onnx
from vigie_devkit.train.folders import open_folder
from vigie_devkit.train.loop import Progress, Recipe, train
from vigie_devkit.train.network import Detector
from vigie_devkit.train.rendered import TRAIN_SEED, VALID_SEED, rendered_pictures, training_pictures

RENDERED_NAME = "conveyor-parts"
VALID_SHARE = 0.1
PICTURES_MIN = 10
# A part of the conveyor is at most 104 px: cuts hold several, and cost a fifth of the picture.
RENDERED_RECIPE = Recipe(epochs=26, cut_px=256)
# Nobody knows how large the objects of a folder are: whole pictures, unless told otherwise.
FOLDER_RECIPE = Recipe(epochs=60)
# What the card says of a detector that has seen nothing but rendered pictures.
_RENDERED = {
    "description": f"Finds the parts of the synthetic conveyor: {', '.join(LABELS)}.",
    "intended_use": "Demonstrations and tests on synthetic://conveyor; a start for training on pictures of one's own.",
    "limits": "Trained on rendered pictures only and measured on no real one. Parts below 16 px and those mostly "
    "covered score lower and are missed more often (see 'hard split' in the evidence): score_min 0.25 finds more.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to train: ``folder`` None = the renderer. ``size_hw``: multiples of 32. ``pictures``: rendered ones."""

    name: str
    output: Path
    folder: Path | None = None
    pictures: int = 2400
    valid_pictures: int = 400
    size_hw: tuple[int, int] = (480, 640)
    recipe: Recipe = RENDERED_RECIPE
    licence: str = "MIT"


class Spent(NamedTuple):
    """By the clock, and by all cores together: the second tells more of a machine that had other work as well."""

    minutes: float
    cpu_minutes: float

    @classmethod
    def until_now(cls) -> Spent:
        return cls(time.monotonic() / 60, sum(os.times()[:4]) / 60)

    def since(self, begun: Spent) -> Spent:
        return Spent(self.minutes - begun.minutes, self.cpu_minutes - begun.cpu_minutes)


def wanted_training(
    output: Path,
    *,
    name: str | None = None,
    folder: Path | None = None,
    epochs: int | None = None,
    pictures: int | None = None,
    size_hw: tuple[int, int] | None = None,
    cut_px: int | None = None,
    licence: str | None = None,
) -> Wanted:
    """What a person asked for, the rest as the shipped detector was trained; a folder's pictures uncut.

    A licence is only known of what is rendered here.
    """
    default = Wanted(name=RENDERED_NAME, output=output, recipe=RENDERED_RECIPE if folder is None else FOLDER_RECIPE)
    return Wanted(
        name=name or (RENDERED_NAME if folder is None else bundle_name(Path(f"{folder.resolve().name}.folder"))),
        output=output,
        folder=folder,
        pictures=pictures or default.pictures,
        # A short try is measured shortly too.
        valid_pictures=default.valid_pictures if pictures is None else max(1, round(VALID_SHARE * pictures)),
        size_hw=size_hw or default.size_hw,
        recipe=replace(default.recipe, epochs=epochs or default.recipe.epochs, cut_px=cut_px or default.recipe.cut_px),
        licence=licence or (default.licence if folder is None else "unknown"),
    )


def train_bundle(wanted: Wanted, say: Callable[[str], None]) -> Path:
    """Train and return the bundle's folder.

    Raises: DatasetError: the user's folder cannot be read. ModelError: the trained graph is refused by the importer.
    """
    begun = Spent.until_now()
    labels, data, valid = _pictures(wanted, say)
    cut_px = wanted.recipe.cut_px
    cut = "" if cut_px is None or cut_px >= max(wanted.size_hw) else f"{cut_px} px cuts of "
    size = f"{wanted.size_hw[1]}x{wanted.size_hw[0]}"
    say(f"training on {cut}{len(data)} pictures of {size}, {wanted.recipe.epochs} epochs")
    network = train(data, len(labels), wanted.recipe, lambda progress: say(_line(progress)))
    return bundle_network(network, labels, wanted, valid=valid, spent=Spent.until_now().since(begun), say=say)


def bundle_network(
    network: Detector,
    labels: list[str],
    wanted: Wanted,
    *,
    valid: dict[str, Iterator[Picture]],
    spent: Spent,
    say: Callable[[str], None],
) -> Path:
    """Write, import and measure a trained network; the figures go into the card. ``spent``: what training took."""
    firsts = {split: next(pictures) for split, pictures in valid.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{wanted.name}.onnx"
        onnx.save(to_onnx(network, wanted.size_hw, labels), file)
        bundle_folder = import_model(
            file,
            wanted.output / wanted.name,
            labels=labels,
            name=wanted.name,
            family="yolox",
            # How it was trained is known; a network of a few epochs need not show it.
            feed=input_fields("bgr/0..255"),
            trust=True,
            pictures=_write_pictures(Path(folder), firsts.values()),
            licence=wanted.licence,
        )
    evidence = [
        Evidence(metric=f"training {what}", value=round(value, 1), where=platform.machine(), date=_today())
        for what, value in (("minutes", spent.minutes), ("CPU minutes", spent.cpu_minutes))
    ]
    for split, pictures in valid.items():
        measured = evaluate(load_bundle(bundle_folder), chain([firsts[split]], pictures))
        say(f"{split}: mAP50 {measured.map50:.3f}, mAP50-95 {measured.map50_95:.3f} over {measured.objects} objects")
        evidence += _evidence(split, measured)
    _note(bundle_folder, wanted, evidence)
    load_bundle(bundle_folder)
    return bundle_folder


def _pictures(wanted: Wanted, say: Callable[[str], None]) -> tuple[list[str], Dataset, dict[str, Iterator[Picture]]]:
    """Labels, what to train on, and by split what to measure on."""
    if wanted.folder is None:
        check_memory("the rendered pictures", wanted.pictures, wanted.size_hw)
        say(f"rendering {wanted.pictures} pictures")
        data = collect(training_pictures(TRAIN_SEED, wanted.pictures), wanted.pictures, wanted.size_hw)
        valid: dict[str, Iterator[Picture]] = {
            split: islice(rendered_pictures(VALID_SEED, hard=split == "hard split"), wanted.valid_pictures)
            for split in ("normal scenes", "hard split")
        }
        return list(LABELS), data, valid
    labels, pictures, count = open_folder(wanted.folder)
    if count < PICTURES_MIN:
        raise DatasetError(str(wanted.folder), f"has {count} pictures; training needs {PICTURES_MIN}, better hundreds")
    held_back = max(1, round(VALID_SHARE * count))
    check_memory(str(wanted.folder), count, wanted.size_hw)
    say(f"reading {count} pictures from {wanted.folder}, {held_back} of them held back to measure")
    data = collect(pictures, count - held_back, wanted.size_hw)
    return labels, data, {"held-back pictures": pictures}


def _write_pictures(folder: Path, pictures: Iterable[Picture]) -> list[Path]:
    """For the bundle's reference frames: what a device is judged by shows what the detector is for."""
    files = []
    for number, picture in enumerate(pictures):
        files.append(folder / f"reference-{number}.png")
        cv2.imwrite(str(files[-1]), picture.frame_bgr)
    return files


def _line(progress: Progress) -> str:
    losses = ", ".join(f"{name} {value:.3f}" for name, value in progress.loss.items())
    left_min = progress.elapsed_s / progress.epoch * (progress.epochs - progress.epoch) / 60
    return f"epoch {progress.epoch}/{progress.epochs}: {losses}; about {left_min:.0f} min left"


def _evidence(split: str, measured: Accuracy) -> list[Evidence]:
    return [
        Evidence(metric=f"{metric}, {split}", value=round(value, 4), samples=measured.objects, date=_today())
        for metric, value in (("mAP50", measured.map50), ("mAP50-95", measured.map50_95))
    ]


def _note(folder: Path, wanted: Wanted, evidence: list[Evidence]) -> None:
    """Write the figures into the card of the first variant, and what the model is for."""
    bundle = load_bundle(folder)
    name = bundle.variants[0]
    variant: CardVariant = msgspec.structs.replace(bundle.card.variants[name], evidence=tuple(evidence))
    card: Card = msgspec.structs.replace(
        bundle.card,
        variants={**bundle.card.variants, name: variant},
        **(
            _RENDERED if wanted.folder is None else {"description": f"Trained on the pictures of {wanted.folder.name}."}
        ),
    )
    (folder / "card.yaml").write_bytes(write_card(card))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
