"""Classifiers: one output [1, C]. Ultralytics' want RGB 0..1; of others the weights say the range, seldom the channels.

A softmax at the end of the graph makes it one. Numbers without it may be an embedding or a measurement too: there class
names, or ``--family classifier``, decide. Sigmoids are several answers at once, which no single class may stand for.

Source: ultralytics/ultralytics, models/yolo/classify; torchvision.models classification recipes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import UNIT_RGB_STRETCH, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEEDS = tuple(
    feed_of(text, "stretch")
    for text in (
        "rgb/imagenet",
        "rgb/0..1",
        "rgb/-1..1",
        "rgb/0..255",
        "bgr/0..255",
        "bgr/caffe",
        "bgr/0..1",
        "bgr/imagenet",
    )
)


def by_metadata(signature: Signature) -> Iterator[Recognition]:
    if signature.task == "classify" and (output := scores_port(signature)) is not None:
        yield _reading(signature, output, UNIT_RGB_STRETCH, "metadata task 'classify'")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = scores_port(signature)
    if output is None and signature.label_count is not None:
        flat = scores_port(dataclasses.replace(signature, labels=None))
        if flat is not None:
            wanted, count = flat.shape[1], signature.label_count
            yield Doubt(
                "classifier",
                f"{_shown(flat)} has {wanted} values, {count} class names were passed; pass {wanted} with --labels",
            )
    if output is None or len(signature.inputs) != 1:
        return
    values = signature.probe.get(output.name)
    doubt = ""
    if values is not None and not probabilities(values) and signature.asked is None:
        doubt = _not_classes(output, values, named=signature.label_count is not None)
    if doubt:
        yield Doubt("classifier", f"{_shown(output)} {doubt}")
        return
    yield _reading(signature, output, FEEDS[0], "shape", FEEDS[1:])


def _not_classes(output: Port, values: NDArray[Any], *, named: bool) -> str:
    """What numbers that are not probabilities may be instead, and what to pass; empty if they are classes."""
    length = float(np.linalg.norm(values.astype(np.float64)))
    if abs(length - 1.0) < 1e-3 and output.shape[1] >= 32:
        return "has length 1: an embedding to compare, not classes; pass --family embedding"
    if are_shares(values):
        return (
            "holds shares that do not add up to 1: several answers at once (multi-label); pass --labels with "
            f"{output.shape[1]} names to read them so"
        )
    if named:
        return ""
    return (
        "holds numbers that are not probabilities: class logits, an embedding and a measured value (an angle) look "
        f"alike; pass --labels with {output.shape[1]} names, or --family classifier, if they are classes, or "
        "--family embedding"
    )


def _shown(output: Port) -> str:
    return f"[1,{output.shape[1]}]"


def probabilities(values: NDArray[Any]) -> bool:
    """They add up to 1 and lie in 0..1; logits of a real picture do neither."""
    return bool(abs(float(values.sum()) - 1) < 1e-3 and np.all(values >= 0))


def scores_port(signature: Signature) -> Port | None:
    if len(signature.outputs) != 1:
        return None
    output = signature.outputs[0]
    flat = len(output.shape) == 2 or (len(output.shape) == 4 and output.shape[2:] == (1, 1))
    if not flat or output.shape[0] != 1 or output.shape[1] < 2 or signature.label_count not in {None, output.shape[1]}:
        return None
    return output


def _reading(
    signature: Signature, output: Port, feed: Feed, why: str, other_feeds: tuple[Feed, ...] = ()
) -> Recognition:
    values = signature.probe.get(output.name)
    shares = values is not None and probabilities(values)
    return Recognition(
        family="classifier",
        decoder="classifier",
        params={} if shares else {"softmax": True},
        feed=feed,
        outputs=(output.name,),
        class_count=output.shape[1],
        task="classification",
        other_feeds=other_feeds,
        vouched=not other_feeds,
        score_min=0.0,
        why=f"{why}, one output [1,{output.shape[1]}] of {'probabilities' if shares else 'logits'}",
    )
