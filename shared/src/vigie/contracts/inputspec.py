"""What inference wants its tensors to look like; preprocess follows it, every tensor is stamped with its version."""

from __future__ import annotations

from typing import Literal

import msgspec

Align = Literal["centre", "top_left", "stretch"]


class SampledSpec(msgspec.Struct, frozen=True):
    """The input of a model on trial beside the serving one: frames whose ``seq`` is a multiple of ``every``.

    ``cameras``: of these only; empty: of all. ``named``: on trial for this seat; empty: for the main one.
    """

    version: str
    size_hw: tuple[int, int]
    align: Align
    pad_value: int
    every: int
    views: bool = False
    cameras: tuple[str, ...] = ()
    named: str = ""


class NamedSpec(msgspec.Struct, frozen=True):
    """The input of a model that has a seat of its own, by its key in desired property ``models``.

    ``cameras``: whose frames are fitted for it instead of the main model. ``beside``: for it as well; ``cameras`` may
    then be empty, which is all.
    """

    named: str
    version: str
    size_hw: tuple[int, int]
    align: Align
    pad_value: int
    views: bool
    cameras: tuple[str, ...]
    beside: bool = False


class InputSpec(msgspec.Struct, frozen=True):
    """The input of the serving model: an uint8 tensor (H, W, 3) in BGR.

    Normalisation, channel order and layout are folded into the graph at import, so a resize is all there is to do.
    ``version`` names the model and this layout; tensors of another version are dropped with their reason.
    ``align``: ``centre`` and ``top_left`` keep the frame's aspect ratio and pad, ``stretch`` does not.
    ``pad_value`` fills what the frame does not cover, 0..255. ``also``: frames are fitted for these models as well; a
    preprocess of the version before leaves it out. ``views``: a frame may come as several tensors (``TensorItem``).
    ``others``: models that serve some cameras in place of this one; a preprocess of the version before fits all frames
    for this one. ``version`` is empty where only those serve.
    """

    version: str
    size_hw: tuple[int, int]
    align: Align
    pad_value: int = 114
    also: tuple[SampledSpec, ...] = ()
    views: bool = False
    others: tuple[NamedSpec, ...] = ()
