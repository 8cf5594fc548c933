"""Is this bundle whole, and does it answer here as it did where it was made?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vigie.errors import ModelParityError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.matching import count_matched


def verify_bundle(folder: Path) -> Iterator[str]:
    """Check the files, then run every variant on the reference input; one line per check that held.

    Raises: any error of ``load_bundle`` and ``open_engine``. ModelParityError: other detections than the reference's.
    """
    bundle = load_bundle(folder)
    card = bundle.card
    yield f"{card.name} {card.version}: card and {len(card.variants)} variant(s), every sha256 as stated"
    decoder = make_decoder(card)
    if card.reference is None:
        yield "no reference pair in the bundle: parity not checked"
        return
    pair, facts = read_reference(bundle), card.reference
    for name in bundle.variants:
        with open_engine(bundle, name) as engine:
            outputs = [np.array(output) for output in engine.run(pair.tensor_hwc)]
            where = f"{name} on {engine.provider}"
        for output, values in zip(card.outputs, outputs, strict=True):
            if not np.isfinite(values).all():
                raise ModelParityError(card.name, f"{where}: output '{output.name}' holds NaN or infinity")
        iou_max = card.thresholds.iou_max
        wanted = decoder(pair.outputs, score_min=facts.score_min, iou_max=iou_max)
        # A detection just above the threshold may fall below it by rounding: that is no difference.
        found = decoder(outputs, score_min=max(0.0, facts.score_min - facts.score_tolerance), iou_max=iou_max)
        missed = len(wanted) - count_matched(
            wanted, found, iou_min=facts.match_iou_min, score_within=facts.score_tolerance
        )
        if missed:
            raise ModelParityError(
                card.name, f"{where}: {missed} of {len(wanted)} detections of the reference input are not found"
            )
        yield f"{where}: answers the reference input ({len(wanted)} detections) as stored"
