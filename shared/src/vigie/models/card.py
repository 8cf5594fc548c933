"""The model card: what ``card.yaml`` may say, decoded once into frozen structs.

Unknown keys are refused with their path, so that a typo never silently means the default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import yaml

from vigie.contracts.inputspec import Align
from vigie.errors import CardError

SCHEMA = "vigie.card/1"
# A card of a thousand labels has 30 KB. Reading one costs time by its length, and it may come from anybody.
CARD_BYTES_MAX = 64 << 10
_DEPTH_MAX = 32

Text = Annotated[str, msgspec.Meta(max_length=4096)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Precision = Literal["fp32", "fp16", "int8", "a16w8"]
Task = Literal[
    "detection", "classification", "multilabel", "pose", "segmentation", "oriented", "embedding", "semantic", "anomaly"
]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the card."""


class CardInput(_Strict, frozen=True, kw_only=True):
    """The folded input: always uint8 (1, height, width, 3), BGR; ``align`` and ``pad_value`` are for preprocess."""

    name: Text
    height: Side
    width: Side
    align: Align
    pad_value: Annotated[int, msgspec.Meta(ge=0, le=255)] = 114


class CardOutput(_Strict, frozen=True, kw_only=True):
    """One output of the folded graph, in graph order; -1 where the picture decides how many."""

    name: Text
    shape: tuple[Annotated[int, msgspec.Meta(ge=-1)], ...]


class CardDecoder(_Strict, frozen=True, kw_only=True):
    """``family`` is a file of ``vigie.vision.decoders``; ``params`` are that file's ``Params``."""

    family: Name
    params: dict[str, Any] = {}


class Thresholds(_Strict, frozen=True, kw_only=True):
    """Defaults that the twin may override."""

    score_min: Share = 0.4
    iou_max: Share = 0.45


class MeasuredFigure(_Strict, frozen=True, kw_only=True):
    """A measured figure: what, how much, on how many samples, where and when."""

    metric: Text
    value: float
    samples: Annotated[int, msgspec.Meta(ge=0)] | None = None
    where: Text = ""
    date: Text = ""


class Calibration(_Strict, frozen=True, kw_only=True):
    """How the ranges of a quantized variant were found."""

    method: Text
    samples: Annotated[int, msgspec.Meta(ge=1)]
    dataset_sha256: Sha256 | None = None


class Parity(_Strict, frozen=True, kw_only=True):
    """Agreement of a variant with the reference variant, measured where the bundle was made.

    ``metric``: ``f1`` of detections at the reference's ``score_min`` and ``match_iou_min``, same class; ``top1`` of a
    classifier. 1 is full agreement. ``minimum``: what a device must reach over the reference frames.
    """

    metric: Literal["f1", "top1"]
    value: Share
    minimum: Share
    samples: Annotated[int, msgspec.Meta(ge=1)] | None = None


class AdaptedOutput(_Strict, frozen=True, kw_only=True):
    """Where one output of the card is found in a file that names and orders its own.

    ``index``: in the file's order. ``transposed``: its last two axes are the other way round. ``unit_boxes``: the four
    numbers of a box are shares of the input's sides, where the card's are pixels.
    """

    index: Annotated[int, msgspec.Meta(ge=0, le=15)]
    transposed: bool = False
    unit_boxes: bool = False


class Adapter(_Strict, frozen=True, kw_only=True):
    """How a file that takes and gives other tensors than the card is fed and read; found by trial when it is attached.

    A value ``x`` of the uint8 picture becomes ``(x - mean) / std``, channel by channel in the order of ``channels``.
    """

    channels: Literal["bgr", "rgb"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[
        Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)]
    ]
    outputs: Annotated[tuple[AdaptedOutput, ...], msgspec.Meta(min_length=1)]


class CardVariant(_Strict, frozen=True, kw_only=True):
    """One model file of the bundle.

    ``form``: ``float``, or how integers are written: ``qdq``, ``qoperator``, or ``tflite`` (scale and zero point in
    each tensor). ``symmetric``: of the activations.

    ``format``: of the file; ``opset`` is of ONNX files, ``adapter`` of all others.

    ``integer_share``: of the multiply-adds. ``float_layers``: nodes that were kept in higher precision.
    ``cpus``: kinds of CPU whose integer arithmetic gives these answers; empty where it does not matter.
    """

    file: FileName
    sha256: Sha256
    precision: Precision
    form: Literal["float", "qdq", "qoperator", "tflite"] = "float"
    activations: Literal["float", "u8", "s8", "u16", "s16"] = "float"
    weights: Literal["float", "s8", "u8"] = "float"
    symmetric: bool | None = None
    per_channel: bool | None = None
    reduce_range: bool | None = None
    integer_share: Share | None = None
    float_layers: tuple[Text, ...] = ()
    format: Literal["onnx", "tflite"] = "onnx"
    opset: Annotated[int, msgspec.Meta(ge=1)] | None = None
    adapter: Adapter | None = None
    external_files: dict[FileName, Sha256] = {}
    calibration: Calibration | None = None
    targets: tuple[Text, ...] = ()
    cpus: tuple[Literal["x86-avx2", "x86-vnni", "arm64"], ...] = ()
    parity: Parity | None = None
    evidence: tuple[MeasuredFigure, ...] = ()


class Reference(_Strict, frozen=True, kw_only=True):
    """Frames and the outputs they must give, for parity on the device; ``file`` is a plain npz without objects."""

    file: FileName
    sha256: Sha256
    variant: Name
    samples: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    score_min: Share = 0.25
    match_iou_min: Share = 0.5
    score_tolerance: Share = 0.1


class Concluded(_Strict, frozen=True):
    """What import concluded (``input``: channels and range, ``fit``, ``labels``, ``trial``, ``names``), and why."""

    question: Text
    answer: Text
    because: Text


class ModelSource(_Strict, frozen=True, kw_only=True):
    """Where the model came from and how it was read."""

    file: Text = ""
    sha256: Sha256 | None = None
    producer: Text = ""
    url: Text = ""
    recognised_by: Text = ""
    concluded: tuple[Concluded, ...] = ()
    steps: tuple[Text, ...] = ()
    metadata: dict[str, Text] = {}


class Card(_Strict, frozen=True, kw_only=True):
    """A decoded card.yaml. ``labels[i]`` names class id ``i``; ``labels_from`` says who named them."""

    schema: Literal["vigie.card/1"]
    name: Name
    version: Name = "1"
    task: Task
    description: Text = ""
    licence: Text = "unknown"
    intended_use: Text = ""
    limits: Text = ""
    input: CardInput
    outputs: tuple[CardOutput, ...]
    decoder: CardDecoder
    labels: tuple[Text, ...]
    labels_from: Literal["card", "metadata", "file", "assumed-coco80", "family", "numbered"] = "card"
    thresholds: Thresholds = Thresholds()
    variants: Annotated[dict[Name, CardVariant], msgspec.Meta(min_length=1)]
    reference: Reference | None = None
    source: ModelSource = ModelSource()


def read_card(text: bytes, *, where: str) -> Card:
    """Decode the bytes of a card.yaml.

    Args: where: the file, for the error's text.
    Raises: CardError: not YAML, too large, an unknown key, a bad value; with the JSON path.
    """
    if len(text) > CARD_BYTES_MAX:
        raise CardError(where, "$", f"is {len(text)} bytes, a card has at most {CARD_BYTES_MAX}")
    try:
        tree = _load_yaml(text)
    except Exception as error:  # a constructor of YAML raises what its value makes it raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CardError(where, "$", f"is not plain YAML: {first}") from error
    if isinstance(tree, dict) and isinstance(tree.get("schema"), str) and tree["schema"] != SCHEMA:
        raise CardError(where, "$.schema", f"is {tree['schema']!r}, this version reads {SCHEMA!r}; update the module")
    try:
        return msgspec.convert(tree, Card)
    except msgspec.ValidationError as error:
        raise card_error(where, error) from error


def write_card(card: Card) -> bytes:
    """The bytes of card.yaml: keys in the order of the schema, defaults that say nothing left out."""
    tree = _prune(msgspec.to_builtins(card))
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100).encode()


def card_error(card: str, error: msgspec.ValidationError, *, under: str = "$") -> CardError:
    """The text of msgspec taken apart into path and reason; ``under`` is where the converted part hangs in the card."""
    reason, _, path = str(error).partition(" - at `")
    path = path.rstrip("`") or "$"
    return CardError(card, under + path.removeprefix("$"), reason)


# libyaml's: a hundred times faster than Python's, which is there where a wheel has none.
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _load_yaml(text: bytes) -> Any:
    """Raises: YAMLError, UnicodeDecodeError, and what a constructor raises for an odd value."""
    plain = text.decode("utf-8")
    depth = 0
    for event in yaml.parse(plain, _Loader):
        if isinstance(event, yaml.AliasEvent):  # a card needs none, and nested ones grow without limit when read
            raise yaml.YAMLError("aliases (*name) are not allowed in a card")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise yaml.YAMLError(f"is nested more than {_DEPTH_MAX} deep")
    return yaml.load(plain, _Loader)  # noqa: S506  # a SafeLoader


def _prune(tree: Any) -> Any:
    if isinstance(tree, dict):
        pruned = {key: _prune(value) for key, value in tree.items()}
        return {key: value for key, value in pruned.items() if value not in (None, "", [], {})}
    if isinstance(tree, list | tuple):
        return [_prune(item) for item in tree]
    return tree
