"""Is this bundle whole, and does it answer here as it did where it was made?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelParityError
from vigie.models import Card, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.models.parity import Answers, Tolerance, require_same

# All black and all white: there a badly scaled graph overflows.
_FLAT = (0, 255)


def verify_bundle(folder: Path) -> Iterator[str]:
    """Check the files, then run every variant on the reference frames; one line per check that held.

    Raises: any error of ``load_bundle`` and ``open_engine``. ModelParityError: other detections than the reference's.
    """
    bundle = load_bundle(folder)
    card = bundle.card
    yield f"{card.name} {card.version}: card and {len(card.variants)} variant(s), every sha256 as stated"
    decoder = make_decoder(card)
    if card.reference is None:
        yield "no reference frames in the bundle: parity not checked"
        return
    pairs, facts = read_reference(bundle), card.reference
    tolerance = Tolerance(1e-3, facts.score_tolerance, facts.match_iou_min)
    for name in bundle.variants:
        with open_engine(bundle, name) as engine:
            where = f"{name} on {engine.provider}"
            for value in _FLAT:
                _require_finite(card, engine.run(np.full(engine.input_shape[1:], value, np.uint8)), where)
            found = 0
            for pair in pairs:
                outputs = [np.array(output) for output in engine.run(pair.tensor_hwc)]
                _require_finite(card, outputs, where)
                answer = Answers(flat=False, original=pair.outputs, folded=outputs)
                require_same(card, decoder, answer, tolerance, who=where)
                found += len(decoder(pair.outputs, score_min=facts.score_min, iou_max=card.thresholds.iou_max))
        yield f"{where}: answers {len(pairs)} reference frame(s) ({found} detections) as stored"


def _require_finite(card: Card, outputs: Sequence[NDArray[Any]], where: str) -> None:
    for output, values in zip(card.outputs, outputs, strict=True):
        if not np.isfinite(values).all():
            raise ModelParityError(card.name, f"{where}: output '{output.name}' holds NaN or infinity")
