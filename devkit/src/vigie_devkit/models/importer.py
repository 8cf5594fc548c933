"""From any recognised ONNX export to a verified bundle: the steps in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from vigie.errors import ModelUnrecognisedError
from vigie.models.card import Card, Concluded
from vigie.models.reference import ReferencePair
from vigie.runtimes.engines.reference_run import run_reference
from vigie.vision.decoders import make_decoder
from vigie.vision.decoding import Decoder
from vigie_devkit.models.evidence.place import FINISHED, exchanged
from vigie_devkit.models.evidence.trial import judge
from vigie_devkit.models.fold import INPUT_NAME, feed_original, fold_input
from vigie_devkit.models.given import read_given
from vigie_devkit.models.labels import choose_labels, read_labels
from vigie_devkit.models.normalise import bake_inputs, keep_outputs
from vigie_devkit.models.parity import HALF, SINGLE, Answers, compare
from vigie_devkit.models.photograph_check import PhotographCheck
from vigie_devkit.models.pictures import parity_pictures, read_picture
from vigie_devkit.models.prepare import PreparedModel, prepare
from vigie_devkit.models.recognise import recognise
from vigie_devkit.models.recognition import Recognition
from vigie_devkit.models.settle import settle_feed
from vigie_devkit.models.writer import Folded, build_card, bundle_name, write_bundle


def import_model(
    onnx_path: Path | str,
    output_dir: Path | str,
    *,
    labels: Path | Sequence[str] | None = None,
    name: str | None = None,
    family: str | None = None,
    given: Path | None = None,
    feed: Mapping[str, Any] | None = None,
    trust: bool = False,
    size_hw: tuple[int, int] | None = None,
    pictures: Sequence[Path] = (),
    licence: str = "unknown",
    url: str = "",
    version: str = "1",
) -> Path:
    """Recognise, normalise, fold, compare and write a bundle.

    Args: output_dir: the bundle's folder, made or replaced as a whole; never another folder's content.
        name, version: of the card; the file's name by default. labels: class names, or a file of them.
        family: where recognition needs to be told. given: a reading in YAML in place of recognition.
        feed: fields of ``Feed`` that the user knows better. trust: take the reading although evidence speaks against
            it or leaves it open; the card says so. size_hw: for models whose input is open.
        pictures: what the reference frames show; drawn scenes otherwise. url: where the file was fetched, for the card.
    Returns: the bundle's folder, verified.
    Raises: ModelFileError, ModelUnrecognisedError, ModelParityError, CardError, BundleError; nothing is written then.
    """
    told = read_labels(labels) if isinstance(labels, Path) else None if labels is None else tuple(labels)
    prepared = prepare(Path(onnx_path), size_hw=size_hw, labels=told)
    reading = read_given(given) if given is not None else recognise(prepared.signature, family=family)
    photographs = PhotographCheck(prepared, told)
    reading, concluded = settle_feed(
        reading, prepared.signature, told=feed or {}, given=given is not None, trust=trust, look=photographs.compare
    )
    names, labels_from = choose_labels(prepared.signature, reading, told)
    _check_reading(prepared, reading)
    folded = fold(prepared, reading)
    card = build_card(
        prepared,
        reading,
        folded,
        name=name or bundle_name(prepared.file),
        labels=names,
        labels_from=labels_from,
        licence=licence,
        url=url,
        version=version,
    )
    decoder = make_decoder(card)
    shown = [read_picture(file, prepared.signature.input_hw, reading.feed) for file in pictures]
    shown += parity_pictures(prepared.signature.input_hw)
    answers = [_run_both(prepared, reading, folded, picture) for picture in shown]
    seen = [answer.original for answer in answers if not answer.flat]
    tried, doubt = judge(card, decoder, seen, vouched=reading.vouched or given is not None)
    doubt = doubt or _misplaced(card, decoder, folded, [one for one in shown if one.min() != one.max()])
    if doubt:
        if not trust:
            raise ModelUnrecognisedError(
                str(prepared.file),
                f"looks like {reading.family} ({reading.why}), but {doubt}; pass --family or --card with what it is, "
                "or --trust to import it as this",
            )
        tried = [Concluded("trial", f"TRUSTED although {doubt}", "--trust was passed")]
    tried += photographs.names(reading, names, labels_from, trust=trust)
    compare(card, decoder, answers, HALF if _holds_half(prepared) else SINGLE)
    because = (*concluded, Concluded("labels", labels_from, _named(names, labels_from)), *tried)
    card = msgspec.structs.replace(card, source=msgspec.structs.replace(card.source, concluded=because))
    pairs = [ReferencePair(picture, answer.folded) for picture, answer in zip(shown, answers, strict=True)]
    # What the user chose says more of the model than what was drawn; flat pictures say nothing.
    kept = pairs[: len(pictures)] or [pair for pair, answer in zip(pairs, answers, strict=True) if not answer.flat]
    return write_bundle(Path(output_dir), card, folded, kept)


def _named(names: tuple[str, ...], labels_from: str) -> str:
    if labels_from == "assumed-coco80":
        return "the file names none and has 80 classes; --labels overrules"
    if labels_from == "numbered":
        return "nothing names them; --labels does"
    return f"{len(names)} names: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def fold(prepared: PreparedModel, reading: Recognition) -> Folded:
    """The graph as the device runs it: second inputs baked in, unread outputs cut, uint8 BGR in."""
    signature = prepared.signature
    shapes = {port.name: port.shape for port in signature.outputs}
    baked = bake_inputs(prepared.model, reading.fixed_inputs)
    cut = keep_outputs(baked, reading.outputs, shapes)
    model = fold_input(cut, reading.feed, nhwc=signature.nhwc, size_hw=signature.input_hw)
    return Folded(model, model.SerializeToString())


def _misplaced(card: Card, decoder: Decoder, folded: Folded, pictures: Sequence[NDArray[np.uint8]]) -> str:
    """Why finished boxes do not lie where the picture matters; empty where they do, or nothing tells."""
    if card.task != "detection" or card.decoder.family not in FINISHED:
        return ""
    names = [output.name for output in card.outputs]

    def run(picture: NDArray[np.uint8]) -> list[NDArray[Any]]:
        after = run_reference(folded.content, {INPUT_NAME: picture[None]}, name="the folded graph")
        return [after[name] for name in names]

    params = card.decoder.params
    shares = params.get("units") == "share" or params.get("layout") in {"tensorflow", "detection_output"}
    return exchanged(decoder, run, pictures, shares)


def _holds_half(prepared: PreparedModel) -> bool:
    """Weights in half precision; the picture's type does not tell, exporters leave it at float32."""
    return any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in prepared.model.graph.initializer)


def _check_reading(prepared: PreparedModel, reading: Recognition) -> None:
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


def _run_both(prepared: PreparedModel, reading: Recognition, folded: Folded, picture: NDArray[np.uint8]) -> Answers:
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
    before: Mapping[str, NDArray[Any]] = run_reference(prepared.original, feeds, name=prepared.file.name)
    after = run_reference(folded.content, {INPUT_NAME: picture[None]}, name="the folded graph")
    return Answers(
        flat=bool(picture.min() == picture.max()),
        original=[before[name] for name in reading.outputs],
        folded=[after[name] for name in reading.outputs],
    )
