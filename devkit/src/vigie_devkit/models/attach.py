"""A .tflite file as one more variant of a bundle: how it is fed and read is found by trial on the reference frames."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vigie.errors import ModelFileError
from vigie.models import Bundle, Card
from vigie.models.bundle import CARD_FILE, MODEL_BYTES_MAX, TFLITE_IDENTIFIER
from vigie.models.card import AdaptedOutput, Adapter, CardVariant, Parity, Precision, write_card
from vigie.runtimes import Candidate, EngineSettings
from vigie.runtimes.engines.litert_engine import foreign_tensors, number_types, open_litert
from vigie.runtimes.engines.litert_numbers import NumberTypes
from vigie.runtimes.engines.tensor_adapter import ForeignTensor
from vigie.runtimes.parity import ParityResult, judge
from vigie.runtimes.reference_frames import reference_frames
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.writer import staged

# Those of files that are in use.
RANGES_TRIED = ("0..1", "-1..1", "0..255", "imagenet")
# The right way of feeding a file is far better than the next; a tie is not for us to break.
_LEAD_DB = 3.0
_SQNR_MIN_DB = 6.0
_BOX_TASKS = ("detection", "pose", "segmentation")
_PARITY_MARGIN = 0.1


class FeedTrial(msgspec.Struct, frozen=True):
    """One way to feed and read the file, and how it agreed."""

    adapter: Adapter
    range: str
    judged: ParityResult

    @property
    def words(self) -> str:
        unit = ", boxes in shares of the sides" if any(one.unit_boxes for one in self.adapter.outputs) else ""
        sqnr = "" if self.judged.sqnr_db is None else f", SQNR {self.judged.sqnr_db:.1f} dB"
        agreed = f"{self.judged.metric} {self.judged.agreement:.3f}{sqnr}"
        return f"channels {self.adapter.channels}, range {self.range}{unit}: {agreed}"


class Attached(msgspec.Struct, frozen=True):
    """The new bundle, its variant, and the trial that settled it; ``runner_up`` is the best of the other ways."""

    folder: Path
    variant: str
    trial: FeedTrial
    runner_up: FeedTrial | None


def attach(
    bundle: Bundle, file: Path, output: Path, *, name: str = "", channels: str = "", range_: str = ""
) -> Attached:
    """Write ``output``: the bundle with ``file`` as one more variant. The bundle itself stays as it is.

    Args: name: of the variant; empty = ``tflite-`` and its precision. channels, range_: leave the trial no choice.
    Raises: ModelFileError: not .tflite, other tensors than the bundle's, or no way of feeding it agrees, or more than
        one does. EngineError: LiteRT refuses it. ProviderError: LiteRT is not installed. BundleError.
    """
    content = _read(file)
    frames = reference_frames(bundle)
    if not frames:
        raise ModelFileError(
            str(file), f"bundle {bundle.card.name} has no reference frames to try it on; import it again"
        )
    inputs, outputs = foreign_tensors(content, name=file.name)
    if len(inputs) != 1:
        raise ModelFileError(
            str(file), f"takes {len(inputs)} inputs; a model with one picture as its input is expected"
        )
    numbers = number_types(content, name=file.name)
    precision = _precision(numbers)
    variant = name or f"tflite-{precision}"
    if variant in bundle.card.variants:
        raise ModelFileError(str(file), f"the bundle has a variant {variant!r} already; pass another --name")
    with staged(output) as staging:
        _copy(bundle, staging)
        (staging / f"{variant}.tflite").write_bytes(content)
        facts = CardVariant(
            file=f"{variant}.tflite",
            sha256=hashlib.sha256(content).hexdigest(),
            format="tflite",
            precision=precision,
            activations=numbers.activations,
            weights=numbers.weights,
            symmetric=numbers.symmetric,
            per_channel=numbers.per_channel,
            form="float" if numbers.activations == numbers.weights == "float" else "tflite",
        )
        alone = Bundle(staging, msgspec.structs.replace(bundle.card, variants={variant: facts}), "")
        trials = [
            FeedTrial(adapter, words, _try(alone, adapter, frames))
            for words, adapter in _ways(bundle.card, str(file), outputs, channels, range_)
        ]
        best, runner_up = _settle(trials, str(file))
        parity = Parity(
            metric="top1" if best.judged.metric == "top1" else "f1",
            value=best.judged.agreement,
            minimum=round(max(0.0, best.judged.agreement - _PARITY_MARGIN), 3),
            samples=best.judged.frames,
        )
        settled = msgspec.structs.replace(facts, adapter=best.adapter, parity=parity)
        card = msgspec.structs.replace(bundle.card, variants={**bundle.card.variants, variant: settled})
        (staging / CARD_FILE).write_bytes(write_card(card))
    return Attached(output.absolute(), variant, best, runner_up)


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > MODEL_BYTES_MAX:
            raise ModelFileError(str(file), f"is larger than {MODEL_BYTES_MAX >> 30} GiB")
        content = file.read_bytes()
    except OSError as error:
        raise ModelFileError(str(file), f"cannot be read: {error.strerror}") from error
    if content[4:8] != TFLITE_IDENTIFIER:
        raise ModelFileError(str(file), "is not a .tflite file (it does not begin as a FlatBuffer of TFLite does)")
    return content


def _copy(bundle: Bundle, staging: Path) -> None:
    """What the card names, and nothing else: a signature was of another card."""
    for name, _ in bundle.files():
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.folder / name, staging / name)


def _precision(numbers: NumberTypes) -> Precision:
    """By what the file computes in: its quantized activations or weights, else the type of its float weights."""
    if numbers.activations == "s16":
        return "a16w8"
    if numbers.activations != "float" or numbers.weights != "float":
        return "int8"
    return "fp16" if numbers.half_weights else "fp32"


def _ways(
    card: Card, file: str, outputs: Sequence[ForeignTensor], channels: str, range_: str
) -> Iterator[tuple[str, Adapter]]:
    """Every way of feeding the picture and finding the card's outputs among the file's."""
    mappings = list(_mappings(card, outputs))
    if not mappings:
        promised = ", ".join(str(list(one.shape)) for one in card.outputs)
        found = ", ".join(str(list(one.shape)) for one in outputs)
        raise ModelFileError(
            file, f"gives {found}, the bundle's outputs are {promised}: another model, or another export"
        )
    for words in RANGES_TRIED:
        for order in ("rgb", "bgr"):
            if (range_ and words != range_) or (channels and order != channels):
                continue
            for mapping in mappings:
                yield words, Adapter(**input_fields(f"{order}/{words}"), outputs=mapping)


def _mappings(card: Card, outputs: Sequence[ForeignTensor]) -> Iterator[tuple[AdaptedOutput, ...]]:
    choices: list[list[AdaptedOutput]] = []
    for promised in card.outputs:
        fitting = []
        for index, tensor in enumerate(outputs):
            shape = tensor.shape
            if shape == promised.shape:
                fitting.append(AdaptedOutput(index=index))
            elif len(shape) > 1 and (*shape[:-2], shape[-1], shape[-2]) == promised.shape:
                fitting.append(AdaptedOutput(index=index, transposed=True))
        choices.append(fitting)
    units = (False, True) if card.task in _BOX_TASKS else (False,)
    for mapping in itertools.product(*choices):
        if len({one.index for one in mapping}) == len(mapping):
            for unit in units:
                first = msgspec.structs.replace(mapping[0], unit_boxes=unit)
                yield (first, *mapping[1:])


def _try(staged: Bundle, adapter: Adapter, frames: Sequence[tuple[Any, list[Any]]]) -> ParityResult:
    """Args: staged: with the new variant alone, which has no adapter yet."""
    ((variant, facts),) = staged.card.variants.items()
    tried = {variant: msgspec.structs.replace(facts, adapter=adapter)}
    bundle = Bundle(staged.folder, msgspec.structs.replace(staged.card, variants=tried), "")
    with open_litert(bundle, Candidate("litert", "litert", "CPU", variant, 1), EngineSettings()) as engine:
        return judge(staged.card, engine.run, frames)


def _settle(trials: Sequence[FeedTrial], file: str) -> tuple[FeedTrial, FeedTrial | None]:
    """The one way that agrees. Raises: ModelFileError: none does, or two do."""

    def rank(one: FeedTrial) -> tuple[float, float]:
        return (one.judged.sqnr_db if one.judged.sqnr_db is not None else -999.0, one.judged.agreement)

    ordered = sorted(trials, key=rank, reverse=True)
    best = ordered[0]
    if not best.judged.passed or rank(best)[0] < _SQNR_MIN_DB:
        raise ModelFileError(
            file, f"does not answer as the bundle does, however it is fed; nearest: {best.words}. Another model?"
        )
    runner_up = ordered[1] if len(ordered) > 1 else None
    if runner_up is not None and runner_up.judged.passed and rank(best)[0] - rank(runner_up)[0] < _LEAD_DB:
        raise ModelFileError(
            file, f"answers alike in two ways ({best.words}; {runner_up.words}): pass --channels and --range"
        )
    return best, runner_up
