"""From pictures to a bundle: render or read, train, write the graph, import it, measure it, note it in the card."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import onnx

from vigie.models import load_bundle
from vigie.models.card import Card, CardVariant, MeasuredFigure, write_card
from vigie.synthetic import LABELS
from vigie_devkit.accuracy.average_precision import Accuracy
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.importer import import_model
from vigie_devkit.train.checkpoints import keep_checkpoint
from vigie_devkit.train.dataset import LabelledPicture
from vigie_devkit.train.evaluate import evaluate
from vigie_devkit.train.evening import even_channels
from vigie_devkit.train.export import to_onnx
from vigie_devkit.train.gather import gather
from vigie_devkit.train.loop import Progress, train
from vigie_devkit.train.network import Detector
from vigie_devkit.train.request import TrainingRequest
from vigie_devkit.train.starting_weights import read_start, start_network

# What the card says of a detector that has seen nothing but rendered pictures.
_RENDERED = {
    "description": f"Finds the parts of the synthetic conveyor: {', '.join(LABELS)}.",
    "intended_use": "Demonstrations and tests on synthetic://conveyor; a start for training on pictures of one's own.",
    "limits": "Trained on rendered pictures only and measured on no real one. Parts below 16 px and those mostly "
    "covered score lower and are missed more often (see 'hard split' in the evidence): score_min 0.25 finds more.",
}


class TimeSpent(NamedTuple):
    """By the clock, and by all cores together: the second tells more of a machine that had other work as well."""

    minutes: float
    cpu_minutes: float

    @classmethod
    def until_now(cls) -> TimeSpent:
        return cls(time.monotonic() / 60, sum(os.times()[:4]) / 60)

    def since(self, begun: TimeSpent) -> TimeSpent:
        return TimeSpent(self.minutes - begun.minutes, self.cpu_minutes - begun.cpu_minutes)


def train_bundle(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    """Train and return the bundle's folder.

    Raises: DatasetError: the user's folder cannot be read. ModelError: the trained graph is refused by the importer.
    """
    begun = TimeSpent.until_now()
    start = None if request.start is None else read_start(request.start)
    labels, data, valid = gather(request, start.labels if start is not None and request.keep_labels else (), say)
    cut_px = request.recipe.cut_px
    cut = "" if cut_px is None or cut_px >= max(request.size_hw) else f"{cut_px} px cuts of "
    size = f"{request.size_hw[1]}x{request.size_hw[0]}"
    begins = "" if start is None else f", from the weights of {start.name}{_kept(start.labels, labels)}"
    say(f"training on {cut}{len(data)} pictures of {size}, {request.recipe.epochs} epochs{begins}")
    network = None if start is None else start_network(start, labels, data)

    def said(progress: Progress) -> None:
        say(_line(progress))
        if request.checkpoints is not None:
            keep_checkpoint(request.checkpoints, progress, request.size_hw, labels)

    network = train(data, len(labels), request.recipe, said, network)
    even_channels(network, data.images)
    return bundle_network(network, labels, request, valid=valid, spent=TimeSpent.until_now().since(begun), say=say)


def bundle_network(
    network: Detector,
    labels: list[str],
    request: TrainingRequest,
    *,
    valid: dict[str, Iterator[LabelledPicture]],
    spent: TimeSpent,
    say: Callable[[str], None],
) -> Path:
    """Write, import and measure a trained network; the figures go into the card. ``spent``: what training took."""
    firsts = {split: next(pictures) for split, pictures in valid.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{request.name}.onnx"
        onnx.save(to_onnx(network, request.size_hw, labels), file)
        bundle_folder = import_model(
            file,
            request.output / request.name,
            labels=labels,
            name=request.name,
            family="yolox",
            # How it was trained is known; a network of a few epochs need not show it.
            feed=input_fields("bgr/0..255"),
            trust=True,
            pictures=_write_pictures(Path(folder), firsts.values()),
            licence=request.licence,
            version=request.version,
        )
    evidence = [
        MeasuredFigure(metric=f"training {what}", value=round(value, 2), where=platform.machine(), date=_today())
        for what, value in (("minutes", spent.minutes), ("CPU minutes", spent.cpu_minutes))
    ]
    for split, pictures in valid.items():
        measured = evaluate(load_bundle(bundle_folder), chain([firsts[split]], pictures))
        say(f"{split}: mAP50 {measured.map50:.3f}, mAP50-95 {measured.map50_95:.3f} over {measured.objects} objects")
        evidence += _evidence(split, measured)
    _note(bundle_folder, request, evidence)
    load_bundle(bundle_folder)
    return bundle_folder


def _write_pictures(folder: Path, pictures: Iterable[LabelledPicture]) -> list[Path]:
    """For the bundle's reference frames: what a device is judged by shows what the detector is for."""
    files = []
    for number, picture in enumerate(pictures):
        files.append(folder / f"reference-{number}.png")
        cv2.imwrite(str(files[-1]), picture.frame_bgr)
    return files


def _kept(known: Sequence[str], labels: Sequence[str]) -> str:
    """Which classes the start knows already."""
    both = [label for label in labels if label in known]
    if len(both) == len(labels):
        return ""
    return f" ({', '.join(both)} known, others new)" if both else " (all classes new)"


def _line(progress: Progress) -> str:
    losses = ", ".join(f"{name} {value:.3f}" for name, value in progress.loss.items())
    left_min = progress.elapsed_s / progress.epoch * (progress.epochs - progress.epoch) / 60
    return f"epoch {progress.epoch}/{progress.epochs}: {losses}; about {left_min:.0f} min left"


def _evidence(split: str, measured: Accuracy) -> list[MeasuredFigure]:
    return [
        MeasuredFigure(metric=f"{metric}, {split}", value=round(value, 4), samples=measured.objects, date=_today())
        for metric, value in (("mAP50", measured.map50), ("mAP50-95", measured.map50_95))
    ]


def _note(folder: Path, request: TrainingRequest, evidence: list[MeasuredFigure]) -> None:
    """Write the figures into the card of the first variant, and what the model is for."""
    bundle = load_bundle(folder)
    name = bundle.variants[0]
    variant: CardVariant = msgspec.structs.replace(bundle.card.variants[name], evidence=tuple(evidence))
    card: Card = msgspec.structs.replace(
        bundle.card,
        variants={**bundle.card.variants, name: variant},
        **(_RENDERED if request.rendered else {"description": f"Trained on {_learned_from(request)}."}),
    )
    (folder / "card.yaml").write_bytes(write_card(card))


def _learned_from(request: TrainingRequest) -> str:
    parts = []
    if request.samples is not None:
        parts.append(f"labelled samples of {request.samples.resolve().name}")
    if request.folder is not None:
        parts.append(f"the pictures of {request.folder.resolve().name}")
    return " and ".join(parts)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
