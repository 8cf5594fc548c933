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
from vigie_devkit.models.parity import Answers, Tolerance, require_same


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
        answer = Answers(flat=False, original=pair.outputs, folded=outputs)
        require_same(card, decoder, answer, Tolerance(1e-3, facts.score_tolerance, facts.match_iou_min), who=where)
        wanted = decoder(pair.outputs, score_min=facts.score_min, iou_max=card.thresholds.iou_max)
        yield f"{where}: answers the reference input ({len(wanted)} detections) as stored"
