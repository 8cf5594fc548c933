"""Embeddings: one output [1, D]. Vectors of length 1 are known by it; others look like logits: ``--family embedding``.

How pixels are fed is open, and no photograph tells: an embedding of wrong pixels is as long as one of right ones.

Source: see ``vigie.vision.decoders.embedding``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.vision.decoders.embedding import LENGTH_MAX
from vigie_devkit.models.families.classifier import FEEDS, scores_port
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Signature

# Shorter outputs of length 1 may be a direction or a quaternion.
_SHORTEST = 32


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = scores_port(signature)
    asked = signature.asked == "embedding"
    if output is None or len(signature.inputs) != 1 or (signature.labels is not None and not asked):
        return
    values = signature.probe.get(output.name)
    if values is None:
        return
    length = float(np.linalg.norm(values.astype(np.float64)))
    # Shares of length 1 are those of a classifier that is sure of one class.
    unit = abs(length - 1.0) < 1e-3 and output.shape[1] >= _SHORTEST and not bool((values >= 0).all())
    if not asked and not unit:
        return
    if output.shape[1] > LENGTH_MAX:
        yield Doubt("embedding", f"[1,{output.shape[1]}] is longer than {LENGTH_MAX} numbers, which no message holds")
        return
    yield Recognition(
        family="embedding",
        decoder="embedding",
        feed=FEEDS[0],
        other_feeds=FEEDS[1:],
        outputs=(output.name,),
        class_count=1,
        labels=("embedding",),
        task="embedding",
        score_min=0.0,
        why=f"one output [1,{output.shape[1]}] of length {length:.3g}",
    )
