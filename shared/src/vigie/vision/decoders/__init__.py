"""Decoders: one file per model family, found by its name.

A family file holds ``Params`` (a frozen struct: what ``card.decoder.params`` may say) and
``Family(params, facts)``, a ``Decoder``. Adding a family is adding the file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import msgspec

from vigie.errors import CardError
from vigie.models.card import Card, card_error
from vigie.vision.decoding import Decoder, DecoderFacts

__all__ = ["decoder_families", "decoder_of", "make_decoder"]


def decoder_families() -> tuple[str, ...]:
    """Names that ``card.decoder.family`` may have."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def make_decoder(card: Card) -> Decoder:
    """The decoder that ``card`` names, ready for its outputs.

    Raises: CardError: an unknown family, or parameters that the family refuses, with their path.
    """
    facts = DecoderFacts(
        model=card.name,
        input_hw=(card.input.height, card.input.width),
        class_count=len(card.labels),
        output_shapes=tuple(output.shape for output in card.outputs),
    )
    return decoder_of(card.decoder.family, card.decoder.params, facts)


def decoder_of(family: str, params: Mapping[str, Any], facts: DecoderFacts) -> Decoder:
    """A family's decoder for a model that has no card yet. Raises: as ``make_decoder``."""
    if family not in decoder_families():
        raise CardError(
            facts.model, "$.decoder.family", f"unknown family {family!r}; known: {', '.join(decoder_families())}"
        )
    module: Any = importlib.import_module(f"{__name__}.{family}")
    try:
        own = msgspec.convert(params, module.Params)
    except msgspec.ValidationError as error:
        raise card_error(facts.model, error, under="$.decoder.params") from error
    try:
        decoder: Decoder = module.Family(own, facts)
    except ValueError as error:
        raise CardError(facts.model, "$.decoder", str(error)) from error
    return decoder
