"""Multi-label classifiers: one output [1, C] of sigmoids, shares that do not add up to 1; the frame is stretched.

Logits look like a classifier's: ``--family multilabel`` says that each class is to have a score of its own.

Source: torch.nn.BCEWithLogitsLoss; Azure Custom Vision's and AutoML's multi-label projects.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.families.classifier import FEEDS, probabilities, scores_port
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Signature


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = scores_port(signature)
    values = None if output is None else signature.probe.get(output.name)
    if output is None or values is None or len(signature.inputs) != 1:
        return
    shares = are_shares(values)
    asked = signature.asked == "multilabel"
    if not asked and (not shares or probabilities(values) or signature.label_count is None):
        return  # a classifier, or its refusal
    yield Recognition(
        family="multilabel",
        decoder="multilabel",
        params={} if shares else {"sigmoid": True},
        feed=FEEDS[0],
        other_feeds=FEEDS[1:],
        outputs=(output.name,),
        class_count=output.shape[1],
        task="multilabel",
        score_min=0.5,
        why=f"one output [1,{output.shape[1]}] of {'shares that do not add up to 1' if shares else 'logits'}",
    )
