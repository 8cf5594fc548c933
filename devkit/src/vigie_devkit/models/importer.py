"""From any recognised ONNX export to a verified bundle: the steps in order."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from vigie.errors import BundleError, EngineError, ModelFileError, ModelUnrecognisedError
from vigie.models.bundle import CARD_FILE, load_bundle
from vigie.models.card import (
    Card,
    CardDecoder,
    CardInput,
    CardOutput,
    CardVariant,
    Reference,
    Source,
    Thresholds,
    write_card,
)
from vigie.models.reference import write_reference
from vigie.runtimes.reference_run import run_reference
from vigie.vision.decoders import make_decoder
from vigie_devkit.models.checks import open_model
from vigie_devkit.models.fold import INPUT_NAME, feed_original, fold_input
from vigie_devkit.models.given import read_given
from vigie_devkit.models.labels import COCO80, read_labels
from vigie_devkit.models.normalise import (
    bake_inputs,
    fix_shapes,
    graph_inputs,
    image_input,
    keep_outputs,
    output_shapes,
    raise_opset,
)
from vigie_devkit.models.parity import compare
from vigie_devkit.models.pictures import parity_pictures
from vigie_devkit.models.recognise import recognise
from vigie_devkit.models.recognition import Recognition
from vigie_devkit.models.signature import Port, Signature, metadata_labels, read_literal

VARIANT = "fp32"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked model at a fixed size: ``model`` still wants its original input, ``signature`` describes it."""

    file: Path
    sha256: str
    model: onnx.ModelProto
    signature: Signature
    steps: tuple[str, ...]


def import_model(
    onnx_path: Path | str,
    output_dir: Path | str,
    *,
    labels: Path | Sequence[str] | None = None,
    name: str | None = None,
    family: str | None = None,
    given: Path | None = None,
    feed: Mapping[str, Any] | None = None,
    size_hw: tuple[int, int] | None = None,
    licence: str = "unknown",
) -> Path:
    """Recognise, normalise, fold, compare and write a bundle.

    Args: output_dir: the bundle's folder, made or replaced as a whole; never another folder's content.
        name: of the card; the file's by default. labels: class names, or a file of them.
        family: where recognition needs to be told. given: a reading in YAML in place of recognition.
        feed: fields of ``Feed`` that the user knows better.
        size_hw: for models whose input is open.
    Returns: the bundle's folder, verified.
    Raises: ModelFileError, ModelUnrecognisedError, ModelParityError, CardError; nothing is written then.
    """
    told = _told_labels(labels)
    prepared = prepare(Path(onnx_path), size_hw=size_hw, labels=told)
    reading = read_given(given) if given is not None else recognise(prepared.signature, family=family)
    if feed:
        reading = dataclasses.replace(reading, feed=dataclasses.replace(reading.feed, **feed))
    names, labels_from = choose_labels(prepared, reading, told)
    _check_reading(prepared, reading)
    signature = prepared.signature
    shapes = {port.name: port.shape for port in signature.outputs}
    baked = bake_inputs(prepared.model, reading.fixed_inputs)
    cut = keep_outputs(baked, reading.outputs, shapes)
    folded = fold_input(cut, reading.feed, nhwc=signature.nhwc, size_hw=signature.input_hw)
    folded_bytes = folded.SerializeToString()
    card = _card(
        prepared, reading, name or bundle_name(prepared.file), names, labels_from, folded, folded_bytes, licence
    )
    decoder = make_decoder(card)
    pictures = parity_pictures(signature.input_hw)
    answers = [_run_both(prepared, reading, folded_bytes, picture) for picture in pictures]
    compare(card, decoder, answers)
    return _write(Path(output_dir), card, folded_bytes, pictures[0], answers[0][1])


def prepare(file: Path, *, size_hw: tuple[int, int] | None = None, labels: tuple[str, ...] | None = None) -> Prepared:
    """Open, check, raise the opset, fix the shapes and look at the outside of a model.

    Args: labels: known to the user; recognition may need their number.
    Raises: ModelFileError, ModelUnrecognisedError.
    """
    original = open_model(file)
    raised, opset_step = raise_opset(original)
    fixed, shape_step = fix_shapes(str(file), raised, size_hw or _size_from_metadata(original))
    return Prepared(
        file=file,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        model=fixed,
        signature=_signature(file, fixed, labels),
        steps=(opset_step, shape_step),
    )


def choose_labels(
    prepared: Prepared, reading: Recognition, told: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """Labels and who named them. Raises: ModelUnrecognisedError: their count does not fit the model."""
    count, file = reading.class_count, str(prepared.file)
    if told is not None:
        if count is not None and len(told) != count:
            raise ModelUnrecognisedError(file, f"has {count} classes, {len(told)} labels were passed; pass {count}")
        return told, "file"
    if reading.labels is not None:
        return reading.labels, "family"
    embedded = prepared.signature.labels
    if embedded is not None and count in {None, len(embedded)}:
        return embedded, "metadata"
    if count == len(COCO80):
        return COCO80, "assumed-coco80"
    if count is None:
        raise ModelUnrecognisedError(file, "does not say how many classes it has; pass --labels FILE, one name a line")
    return tuple(f"class-{index}" for index in range(count)), "numbered"


def _told_labels(labels: Path | Sequence[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    return read_labels(labels) if isinstance(labels, Path) else tuple(labels)


def _check_reading(prepared: Prepared, reading: Recognition) -> None:
    """A reading names outputs and inputs that are there; only a given one, or --family, can be wrong."""
    have = {port.name for port in prepared.signature.outputs}
    missing = [name for name in reading.outputs if name not in have]
    if missing:
        raise ModelUnrecognisedError(
            str(prepared.file), f"has no output {', '.join(missing)}; its outputs are {', '.join(sorted(have))}"
        )
    fed = {prepared.signature.image.name, *reading.fixed_inputs}
    open_inputs = [port.name for port in prepared.signature.inputs if port.name not in fed]
    if open_inputs:
        raise ModelUnrecognisedError(
            str(prepared.file),
            f"has further inputs ({', '.join(open_inputs)}) that {reading.family} does not know; "
            "pass --card with fixed_inputs",
        )


def bundle_name(file: Path) -> str:
    """A bundle's name from a file's: letters, digits, dot, dash, underscore."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:80]
    return cleaned or "model"


def _size_from_metadata(model: onnx.ModelProto) -> tuple[int, int] | None:
    image = image_input(model)
    if all(dim.dim_value for dim in image.type.tensor_type.shape.dim[1:]):
        return None
    metadata = {item.key: item.value for item in model.metadata_props}
    size = read_literal(metadata.get("imgsz", ""))
    if isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return size[0], size[1]
    return None


def _signature(file: Path, model: onnx.ModelProto, labels: tuple[str, ...] | None) -> Signature:
    image = image_input(model)
    inputs = tuple(
        Port(
            item.name,
            tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim),
            str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type))),
        )
        for item in [image, *(item for item in graph_inputs(model) if item.name != image.name)]
    )
    bare = Signature(str(file), inputs, ())
    picture = parity_pictures(bare.input_hw)[0]
    feeds = {port.name: _probe_feed(port, picture, bare) for port in inputs}
    try:
        measured = run_reference(model.SerializeToString(), feeds, name=file.name)
    except EngineError as error:
        raise ModelFileError(str(file), f"does not run: {error.reason}") from error
    shapes = output_shapes(model, {name: array.shape for name, array in measured.items()})
    metadata = {item.key: item.value for item in model.metadata_props}
    return Signature(
        file=str(file),
        inputs=inputs,
        outputs=tuple(Port(name, shapes[name], str(array.dtype)) for name, array in measured.items()),
        metadata=metadata,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        probe=measured,
        labels=labels if labels is not None else metadata_labels(metadata),
    )


def _probe_feed(port: Port, picture: NDArray[np.uint8], signature: Signature) -> NDArray[Any]:
    if port.name != signature.image.name:
        # Second inputs of detectors ask for the picture's size; other uses show in recognition, not here.
        size = np.resize(np.array(signature.input_hw), port.shape)
        return size.astype(port.dtype)
    values = picture if port.dtype == "uint8" else (picture / 255.0)
    if not signature.nhwc:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values.reshape(port.shape)).astype(port.dtype)


def _run_both(
    prepared: Prepared, reading: Recognition, folded: bytes, picture: NDArray[np.uint8]
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Outputs in decoder order: of the file as it was given, and of the folded graph."""
    signature = prepared.signature
    image = signature.image
    feeds: dict[str, Any] = {
        image.name: feed_original(
            picture, reading.feed, nhwc=signature.nhwc, dtype=image.dtype, batch=len(image.shape) == 4
        )
    }
    for port in signature.inputs:
        if port.name in reading.fixed_inputs:
            feeds[port.name] = np.array(reading.fixed_inputs[port.name], port.dtype).reshape(port.shape)
    before: Mapping[str, NDArray[Any]] = run_reference(str(prepared.file), feeds, name=prepared.file.name)
    after = run_reference(folded, {INPUT_NAME: picture[None]}, name="the folded graph")
    return [before[name] for name in reading.outputs], [after[name] for name in reading.outputs]


def _card(
    prepared: Prepared,
    reading: Recognition,
    name: str,
    labels: tuple[str, ...],
    labels_from: str,
    folded: onnx.ModelProto,
    folded_bytes: bytes,
    licence: str,
) -> Card:
    signature = prepared.signature
    height, width = signature.input_hw
    metadata = {key: value[:1000] for key, value in signature.metadata.items() if key != "names"}
    half = signature.image.dtype == "float16"
    card = Card(
        schema="vigie.card/1",
        name=name,
        task=reading.task,
        description=signature.metadata.get("description", "")[:1000],
        licence=signature.metadata.get("license", licence)[:200] if licence == "unknown" else licence,
        input=CardInput(
            name=INPUT_NAME, height=height, width=width, align=reading.feed.align, pad_value=reading.feed.pad_value
        ),
        outputs=tuple(
            CardOutput(name=port.name, shape=port.shape)
            for port in (signature.output(output) for output in reading.outputs)
            if port is not None
        ),
        decoder=CardDecoder(family=reading.decoder, params=reading.params),
        labels=labels,
        labels_from=labels_from,  # type: ignore[arg-type]  # checked by the conversion below
        thresholds=Thresholds(score_min=reading.score_min, iou_max=reading.iou_max),
        variants={
            "fp16" if half else VARIANT: CardVariant(
                file=f"{'fp16' if half else VARIANT}.onnx",
                sha256=hashlib.sha256(folded_bytes).hexdigest(),
                precision="fp16" if half else "fp32",
                opset=next(item.version for item in folded.opset_import if item.domain in {"", "ai.onnx"}),
            )
        },
        source=Source(
            file=prepared.file.name,
            sha256=prepared.sha256,
            producer=signature.producer,
            recognised_by=f"{reading.family}: {reading.why}",
            steps=(*prepared.steps, "input folded: uint8 BGR (1, H, W, 3)"),
            metadata=dict(sorted(metadata.items())[:32]),
        ),
    )
    return msgspec.convert(msgspec.to_builtins(card), Card)


def _write(
    output_dir: Path, card: Card, folded: bytes, picture: NDArray[np.uint8], outputs: list[NDArray[Any]]
) -> Path:
    variant, facts = next(iter(card.variants.items()))
    target = output_dir.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise BundleError(str(target), f"cannot be written: {error.strerror}; pass another --output") from error
    try:
        (staging / facts.file).write_bytes(folded)
        sha256 = write_reference(staging / "reference.npz", picture, outputs)
        whole = msgspec.structs.replace(
            card,
            reference=Reference(
                file="reference.npz", sha256=sha256, variant=variant, score_min=card.thresholds.score_min
            ),
        )
        (staging / CARD_FILE).write_bytes(write_card(whole))
        staging.chmod(0o755)
        load_bundle(staging)
        _put_in_place(staging, target)
    except OSError as error:
        raise BundleError(str(target), f"cannot be written: {error.strerror}; pass another --output") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _put_in_place(staging: Path, target: Path) -> None:
    """Move the whole bundle in one step; only a bundle is ever replaced."""
    if target.exists() and not (target / CARD_FILE).is_file() and any(target.iterdir()):
        raise BundleError(str(target), "exists and is no bundle; pass another --output")
    if target.exists():
        old = target.with_name(f".{target.name}-old-{os.getpid()}")
        target.rename(old)
        staging.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        staging.rename(target)
