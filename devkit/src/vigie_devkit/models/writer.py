"""Write a bundle: the card from what import found, the files in a staging folder, one rename."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import onnx

from vigie.errors import BundleError
from vigie.models.bundle import CARD_FILE, load_bundle
from vigie.models.card import SCHEMA, Card, Reference, card_error, write_card
from vigie.models.reference import ReferencePair, write_reference
from vigie_devkit.models.fold import INPUT_NAME
from vigie_devkit.models.prepare import PreparedModel
from vigie_devkit.models.recognition import Recognition

VARIANT = {"float32": "fp32", "float16": "fp16"}
REFERENCE_FILE = "reference.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """The graph that the device runs, and its bytes."""

    model: onnx.ModelProto
    content: bytes

    @property
    def opset(self) -> int:
        return next(int(item.version) for item in self.model.opset_import if item.domain in {"", "ai.onnx"})


def bundle_name(file: Path) -> str:
    """A bundle's name from a file's: letters, digits, dot, dash, underscore."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:80]
    return cleaned or "model"


def quantized_form(model: onnx.ModelProto) -> str:
    """``qdq`` or ``qoperator`` where the graph computes in integers, ``float`` where it does not."""
    operators = {node.op_type for node in model.graph.node}
    if operators & {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}:
        return "qoperator"
    return "qdq" if {"QuantizeLinear", "DequantizeLinear"} <= operators else "float"


def build_card(
    prepared: PreparedModel,
    reading: Recognition,
    folded: Folded,
    *,
    name: str,
    labels: tuple[str, ...],
    labels_from: str,
    licence: str,
    url: str = "",
    version: str = "1",
) -> Card:
    """The card without its reference frames. Raises: CardError: a name or label that no card may hold."""
    signature, feed = prepared.signature, reading.feed
    height, width = signature.input_hw
    embedded = {key: value[:1000] for key, value in signature.metadata.items() if key != "names"}
    form = quantized_form(prepared.model)
    precision = VARIANT.get(signature.image.dtype, "fp32") if form == "float" else "int8"
    tree = {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "task": reading.task,
        "description": embedded.get("description", ""),
        "licence": licence if licence != "unknown" else embedded.get("license", licence),
        "input": {
            "name": INPUT_NAME,
            "height": height,
            "width": width,
            "align": feed.align,
            "pad_value": feed.pad_value,
        },
        "outputs": [
            {"name": port.name, "shape": port.shape}
            for port in (signature.output(output) for output in reading.outputs)
            if port is not None
        ],
        "decoder": {"family": reading.decoder, "params": reading.params},
        "labels": labels,
        "labels_from": labels_from,
        "thresholds": {"score_min": reading.score_min, "iou_max": reading.iou_max},
        "variants": {
            precision: {
                "file": f"{precision}.onnx",
                "sha256": hashlib.sha256(folded.content).hexdigest(),
                "precision": precision,
                "form": form,
                "opset": folded.opset,
            }
        },
        "source": {
            "file": prepared.file.name,
            "sha256": prepared.sha256,
            "producer": signature.producer[:1000],
            "url": url,
            "recognised_by": f"{reading.family}: {reading.why}",
            "steps": [*prepared.steps, f"input folded: uint8 BGR (1, {height}, {width}, 3)"],
            "metadata": dict(sorted(embedded.items())[:32]),
        },
    }
    try:
        return msgspec.convert(tree, Card)
    except msgspec.ValidationError as error:
        raise card_error(name, error) from error


def write_bundle(folder: Path, card: Card, folded: Folded, pairs: Sequence[ReferencePair]) -> Path:
    """Write the bundle as a whole or not at all, then load it once as a device would.

    Args: pairs: the reference frames, at least one.
    Raises: BundleError: the folder cannot be written, or holds something that is no bundle.
    """
    variant, facts = next(iter(card.variants.items()))
    with staged(folder) as staging:
        (staging / facts.file).write_bytes(folded.content)
        reference = Reference(
            file=REFERENCE_FILE,
            sha256=write_reference(staging / REFERENCE_FILE, pairs),
            variant=variant,
            samples=len(pairs),
            score_min=card.thresholds.score_min,
        )
        (staging / CARD_FILE).write_bytes(write_card(msgspec.structs.replace(card, reference=reference)))
    return folder.absolute()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` to write a bundle into; at the end it is loaded once as a device would, and renamed.

    Raises: BundleError: it cannot be written, does not load, or ``folder`` holds something else.
    """
    target = folder.absolute()
    staging = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield staging
        staging.chmod(0o755)
        load_bundle(staging)
        put_in_place(staging, target)
    except OSError as error:
        raise BundleError(str(target), f"cannot be written: {error.strerror}; pass another --output") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def put_in_place(staging: Path, target: Path) -> None:
    """Move the whole bundle in one step; only a bundle is ever replaced."""
    if target.exists() and not (target / CARD_FILE).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise BundleError(str(target), "exists and is not a bundle; pass another --output")
    if target.exists():
        old = target.with_name(f".{target.name}-old-{os.getpid()}")
        target.rename(old)
        staging.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        staging.rename(target)
