"""A reading given by a person: what recognition would have found, in a YAML file, for what no rule knows.

decoder: yolox                      # a family of vigie.vision.decoders
params: {decoded: true}             # its parameters
outputs: [output]                   # names, in the order the decoder wants
labels: [cat, dog]
feed: {channels: bgr, align: top_left, mean: [0, 0, 0], std: [1, 1, 1], pad_value: 114}
fixed_inputs: {orig_target_sizes: [640, 640]}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from vigie.contracts.inputspec import Align
from vigie.errors import CardError
from vigie.models.card import CARD_BYTES_MAX, Task, card_error
from vigie_devkit.models.recognition import Feed, Recognition

_Three = tuple[float, float, float]
_Deviation = Annotated[float, msgspec.Meta(gt=0)]


class _GivenFeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channels: Literal["rgb", "bgr"]
    align: Align
    mean: _Three = (0.0, 0.0, 0.0)
    std: tuple[_Deviation, _Deviation, _Deviation] = (1.0, 1.0, 1.0)
    pad_value: Annotated[int, msgspec.Meta(ge=0, le=255)] = 114


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decoder: str
    outputs: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    feed: _GivenFeed
    params: dict[str, Any] = {}
    task: Task = "detection"
    fixed_inputs: dict[str, list[int]] = {}
    score_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.4
    iou_max: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.45


def read_given(file: Path) -> Recognition:
    """The reading that ``file`` states. Raises: CardError: unreadable, an unknown key, a bad value."""
    try:
        if file.stat().st_size > CARD_BYTES_MAX:
            raise CardError(str(file), "$", f"is larger than {CARD_BYTES_MAX} bytes")
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
        given = msgspec.convert(tree, _Given)
    except msgspec.ValidationError as error:
        raise card_error(str(file), error) from error
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise CardError(str(file), "$", f"cannot be read as plain YAML ({type(error).__name__})") from error
    feed = given.feed
    return Recognition(
        family=given.decoder,
        decoder=given.decoder,
        params=given.params,
        feed=Feed(feed.channels, feed.align, feed.mean, feed.std, feed.pad_value),
        outputs=given.outputs,
        labels=given.labels,
        class_count=len(given.labels),
        task=given.task,
        fixed_inputs=given.fixed_inputs,
        score_min=given.score_min,
        iou_max=given.iou_max,
        why=f"given by {file.name}",
    )
