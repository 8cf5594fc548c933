"""The serving model: bundle, engine, decoder and the input spec that preprocess is told to follow."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

import numpy as np

from vigie.contracts.inputspec import InputSpec
from vigie.errors import ConfigRefusedError, VigieError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.models.signed import SignedBy
from vigie.models.trust import TrustPolicy, judge
from vigie.runtimes import Engine
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie.vision.decoders import make_decoder
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections
from vigie.vision.tracking import WEAK_SCORE
from vigie_inference.config import InferenceConfig, ModelConfig, TrackingConfig
from vigie_inference.looks import BOX_TASKS


class LoadedBundle:
    """A verified bundle with what all its variants share. Loading reads every file of it; no engine yet."""

    def __init__(self, bundle: Bundle, decoder: Decoder, wanted: ModelConfig, signed: SignedBy) -> None:
        self.bundle = bundle
        self.signed = signed
        self.decoder = decoder
        self.wanted = wanted
        self.labels: tuple[str, ...] = tuple(bundle.card.labels)
        card = bundle.card
        # Of the bundle and not of a variant: another variant or engine takes the same tensors.
        self.spec = InputSpec(
            version=f"{card.name}-{card.version}/{bundle.digest[:12]}",
            size_hw=(card.input.height, card.input.width),
            align=card.input.align,
            pad_value=card.input.pad_value,
            views=card.task in BOX_TASKS,
        )

    @classmethod
    def load(cls, wanted: ModelConfig, trust: TrustPolicy) -> Self:
        """``wanted``: with a ``path``. ``trust``: whose bundles this device takes.

        Raises: ConfigRefusedError: the bundle or its signer is refused, or it has no such variant; the text says why.
        """
        try:
            if wanted.path is None:
                raise ConfigRefusedError("$.model", 'expected "path"; a name is looked up before')
            bundle = load_bundle(Path(wanted.path))
            signed = judge(bundle, trust.read())
            if wanted.variant is not None:
                bundle.variant(wanted.variant)
            if bundle.card.reference is not None:
                read_reference(bundle)  # every switch and measurement reads it: found out now, not while it serves
            return cls(bundle, make_decoder(bundle.card), wanted, signed)
        except VigieError as error:
            raise ConfigRefusedError("$.model", str(error)) from error

    def parity_min(self, variant: str) -> float | None:
        """The least agreement with the reference that the card asks of a variant; None: the default."""
        parity = self.bundle.card.variants[variant].parity
        return None if parity is None else parity.minimum


class ServingModel:
    """A loaded bundle and the engine that runs it, in as many threads at a time as its candidate has runs."""

    def __init__(self, loaded: LoadedBundle, engine: Engine) -> None:
        self.loaded = loaded
        self.engine = engine
        self.users = 0  # frames that it is answering, counted by ModelsInService
        # A process of its own answers one request at a time, whatever its candidate could do in this one.
        self.isolated = isinstance(engine, IsolatedEngine)
        self.runs = 1 if self.isolated else engine.candidate.runs
        self.gate = threading.BoundedSemaphore(self.runs)
        self.bundle, self.decoder, self.spec = loaded.bundle, loaded.decoder, loaded.spec
        self.labels, self.wanted = loaded.labels, loaded.wanted

    def close(self) -> None:
        self.engine.close()


class Filter:
    """What of the model's output is passed on; built anew for each accepted configuration."""

    def __init__(self, config: InferenceConfig, loaded: LoadedBundle) -> None:
        thresholds = loaded.bundle.card.thresholds
        self.score_min = thresholds.score_min if config.score is None else config.score
        self.iou_max = thresholds.iou_max if config.iou is None else config.iou
        self.class_ids = _class_ids(config.classes, loaded)
        task = loaded.bundle.card.task
        self.tracking = config.tracking if task in BOX_TASKS else TrackingConfig(on=False)
        # An object whose score falls below for a moment keeps its track. Masks and key points of what nobody gets
        # would cost more than that is worth.
        weak = self.tracking.on and task == "detection"
        self.decoded_score_min = min(self.score_min, WEAK_SCORE) if weak else self.score_min

    def of(self, found: Detections) -> Detections:
        """What the decoder would have given with this filter, of a decoding without."""
        keep = found.scores >= self.decoded_score_min
        if self.class_ids is not None:
            keep &= np.isin(found.class_ids, list(self.class_ids))
        return found.at(keep)


def _class_ids(wanted: list[str] | None, loaded: LoadedBundle) -> frozenset[int] | None:
    """Ids of the wanted labels; ``None`` = all.

    Raises: ConfigRefusedError: a label that the model does not know, with those that it does.
    """
    if wanted is None:
        return None
    known = {label: index for index, label in enumerate(loaded.labels)}
    for index, label in enumerate(wanted):
        if label not in known:
            shown = ", ".join(loaded.labels[:12]) + (", ..." if len(loaded.labels) > 12 else "")
            raise ConfigRefusedError(
                f"$.classes[{index}]", f"model {loaded.bundle.card.name} has no class {label!r}; it knows {shown}"
            )
    return frozenset(known[label] for label in wanted)
