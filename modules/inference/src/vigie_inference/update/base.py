"""What serves in a seat where no release does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vigie_inference.config import InferenceConfig, ModelConfig


@dataclass(frozen=True, slots=True)
class Base:
    """``model``: by the configuration; None: nothing does. ``in_words``: who answers then, for people.

    ``may_be_empty``: a roll-back may leave this seat without a model. ``compared``: whether what another seat answers
    is what a release on trial here is compared with.
    """

    model: Callable[[InferenceConfig], ModelConfig | None]
    in_words: str
    may_be_empty: bool = False
    compared: Callable[[], bool] = lambda: False
