"""Is this bundle whole, and does it answer here as it did where it was made?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelParityError
from vigie.models import Card, load_bundle
from vigie.models.card import Parity, Reference
from vigie.models.reference import ReferencePair, read_reference
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.accuracy.parity_score import parity_score
from vigie_devkit.models.parity import Answers, Tolerance, require_same
from vigie_devkit.quantize.machine import this_machine

# All black and all white: there a badly scaled graph overflows.
_FLAT = (0, 255)


def verify_bundle(folder: Path) -> Iterator[str]:
    """Check the files, then run every variant on the reference frames; one line per check that held.

    Raises: any error of ``load_bundle`` and ``open_engine``. ModelParityError: other detections than the reference's.
    """
    bundle = load_bundle(folder)
    card = bundle.card
    yield f"{card.name} {card.version}: card and {len(card.variants)} variant(s), every sha256 as stated"
    if card.reference is None:
        yield "no reference frames in the bundle: parity not checked"
        return
    pairs, facts = read_reference(bundle), card.reference
    kind = this_machine().kind
    for name in bundle.variants:
        cpus = card.variants[name].cpus
        if cpus and kind not in cpus:
            yield f"{name}: for {', '.join(cpus)}, this CPU is {kind}: not run"
            continue
        with open_engine(bundle, name) as engine:
            where = f"{name} on {engine.provider}"
            for value in _FLAT:
                _require_finite(card, engine.run(np.full(engine.input_shape[1:], value, np.uint8)), where)
            answers = []
            for pair in pairs:
                answers.append([np.array(output) for output in engine.run(pair.tensor_hwc)])
                _require_finite(card, answers[-1], where)
        yield f"{where}: {_compare(card, facts, card.variants[name].parity, pairs=pairs, answers=answers, where=where)}"


def _compare(
    card: Card,
    facts: Reference,
    parity: Parity | None,
    *,
    pairs: Sequence[ReferencePair],
    answers: Sequence[list[NDArray[Any]]],
    where: str,
) -> str:
    """What held, in words. Raises: ModelParityError: it did not."""
    if parity is not None:
        stored = [pair.outputs for pair in pairs]
        value = parity_score(card, stored, answers, score_min=facts.score_min, iou_min=facts.match_iou_min)
        if value < parity.minimum:
            raise ModelParityError(
                card.name,
                f"{where}: {parity.metric} {value:.3f} over the reference frames, {parity.minimum:g} is needed",
            )
        return (
            f"{parity.metric} {value:.3f} over {len(pairs)} reference frame(s), at least {parity.minimum:g} is needed"
        )
    decoder = make_decoder(card)
    tolerance = Tolerance(1e-3, facts.score_tolerance, facts.match_iou_min)
    found = 0
    for pair, outputs in zip(pairs, answers, strict=True):
        require_same(
            card, decoder, Answers(flat=False, original=pair.outputs, folded=list(outputs)), tolerance, who=where
        )
        found += len(decoder(pair.outputs, score_min=facts.score_min, iou_max=card.thresholds.iou_max))
    return f"answers {len(pairs)} reference frame(s) ({found} detections) as stored"


def _require_finite(card: Card, outputs: Sequence[NDArray[Any]], where: str) -> None:
    for output, values in zip(card.outputs, outputs, strict=True):
        if not np.isfinite(values).all():
            raise ModelParityError(card.name, f"{where}: output '{output.name}' holds NaN or infinity")
