"""The serving model: bundle, engine, decoder and the input spec that preprocess is told to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from vigie.contracts.inputspec import InputSpec
from vigie.errors import ConfigRefusedError, VigieError
from vigie.models import Bundle, load_bundle
from vigie.runtimes import Engine, open_engine
from vigie.thread_names import ENGINE, threads_started_as
from vigie.vision.decoders import make_decoder
from vigie.vision.detections import Decoder
from vigie_inference.config import InferenceConfig, ModelConfig


class ServingModel:
    """One loaded model. Loading verifies the bundle's checksums and takes seconds; running is for one thread."""

    def __init__(self, bundle: Bundle, engine: Engine, decoder: Decoder, spec: InputSpec, wanted: ModelConfig) -> None:
        self.bundle = bundle
        self.engine = engine
        self.decoder = decoder
        self.spec = spec
        self.wanted = wanted
        self.labels: tuple[str, ...] = tuple(bundle.card.labels)

    @classmethod
    def load(cls, wanted: ModelConfig, threads: int | None) -> Self:
        """Load and warm up.

        Raises: ConfigRefusedError: the bundle or its runtime is refused; the text says why and what to do.
        """
        try:
            bundle = load_bundle(Path(wanted.path))
            variant = bundle.variant(wanted.variant)
            with threads_started_as(ENGINE):
                engine = open_engine(bundle, variant.name, threads=threads)
            decoder = make_decoder(bundle.card)
        except VigieError as error:
            raise ConfigRefusedError("$.model", str(error)) from error
        card = bundle.card
        spec = InputSpec(
            version=f"{card.name}-{card.version}/{variant.sha256[:12]}",
            size_hw=(card.input.height, card.input.width),
            align=card.input.align,
            pad_value=card.input.pad_value,
        )
        return cls(bundle, engine, decoder, spec, wanted)

    def close(self) -> None:
        self.engine.close()


class Filter:
    """What of the model's output is passed on; built anew for each accepted configuration."""

    def __init__(self, config: InferenceConfig, model: ServingModel) -> None:
        thresholds = model.bundle.card.thresholds
        self.score_min = thresholds.score_min if config.score is None else config.score
        self.iou_max = thresholds.iou_max if config.iou is None else config.iou
        self.class_ids = _class_ids(config.classes, model)


def _class_ids(wanted: list[str] | None, model: ServingModel) -> frozenset[int] | None:
    """Ids of the wanted labels; ``None`` = all.

    Raises: ConfigRefusedError: a label that the model does not know, with those that it does.
    """
    if wanted is None:
        return None
    known = {label: index for index, label in enumerate(model.labels)}
    for index, label in enumerate(wanted):
        if label not in known:
            shown = ", ".join(model.labels[:12]) + (", ..." if len(model.labels) > 12 else "")
            raise ConfigRefusedError(
                f"$.classes[{index}]", f"model {model.bundle.card.name} has no class {label!r}; it knows {shown}"
            )
    return frozenset(known[label] for label in wanted)
