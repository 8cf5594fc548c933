"""From the product's uint8 picture to the tensors of a foreign file, and from its outputs to the card's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError
from vigie.models.card import AdaptedOutput, Adapter, Card

_BOX = 4  # numbers of a box


class ForeignTensor(msgspec.Struct, frozen=True):
    """One tensor as the file has it. ``scale`` 0: it is not quantized; else ``real = (stored - zero) * scale``."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero: int = 0


class TensorAdapter:
    """Raises: EngineError: the file's tensors are not those that the card was made with."""

    def __init__(
        self, card: Card, adapter: Adapter, model: str, source: ForeignTensor, outputs: Sequence[ForeignTensor]
    ) -> None:
        self._card, self._adapter, self._model = card, adapter, model
        self._source = source
        height, width = card.input.height, card.input.width
        if source.shape not in ((1, height, width, 3), (1, 3, height, width)):
            wanted = f"(1, {height}, {width}, 3) or (1, 3, {height}, {width})"
            raise EngineError(model, f"expected the input {wanted}, the file has {source.shape}", "attach it again")
        self._planes_first = source.shape[1] == 3
        self._table = self._input_table()
        if len(adapter.outputs) != len(card.outputs) or any(one.index >= len(outputs) for one in adapter.outputs):
            raise EngineError(model, f"the card reads {len(card.outputs)} outputs, the file has {len(outputs)}")
        self._outputs = [outputs[one.index] for one in adapter.outputs]
        for promised, mine, tensor in zip(card.outputs, adapter.outputs, self._outputs, strict=True):
            if _turned(tensor.shape, mine) != promised.shape:
                raise EngineError(
                    model,
                    f"expected {promised.shape} of output {promised.name}, the file has {tensor.shape}",
                    "attach it again",
                )

    def into(self, tensor_hwc: NDArray[np.uint8]) -> NDArray[Any]:
        """The file's input for a (H, W, 3) uint8 BGR picture, of its shape and number type."""
        picture = tensor_hwc[..., ::-1] if self._adapter.channels == "rgb" else tensor_hwc
        fed = np.empty(tensor_hwc.shape, self._source.dtype)
        for channel in range(3):
            np.take(self._table[channel], picture[..., channel], out=fed[..., channel], mode="clip")
        return np.ascontiguousarray(fed.transpose(2, 0, 1))[None] if self._planes_first else fed[None]

    def out_of(self, found: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The card's outputs, from the file's in its own order."""
        results = []
        for mine, tensor in zip(self._adapter.outputs, self._outputs, strict=True):
            value = found[mine.index]
            if tensor.scale:
                value = (value.astype(np.float32) - tensor.zero) * np.float32(tensor.scale)
            if mine.transposed:
                value = np.ascontiguousarray(value.swapaxes(-1, -2))
            results.append(self._in_pixels(value) if mine.unit_boxes else value)
        return results

    def _input_table(self) -> NDArray[Any]:
        """(3, 256): what each value of a channel becomes; looked up, so that nothing is computed per pixel."""
        levels = np.arange(256, dtype=np.float64)
        real = np.stack(
            [(levels - mean) / std for mean, std in zip(self._adapter.mean, self._adapter.std, strict=True)]
        )
        kind = self._source.dtype
        if kind.kind == "f":
            return real.astype(kind)
        if not self._source.scale:
            raise EngineError(self._model, f"its input holds {kind} without saying what they mean", "export it again")
        stored = np.rint(real / self._source.scale) + self._source.zero
        bounds = np.iinfo(kind)
        table: NDArray[Any] = np.clip(stored, bounds.min, bounds.max).astype(kind)
        return table

    def _in_pixels(self, value: NDArray[Any]) -> NDArray[Any]:
        """The first four numbers along the shorter of the last two axes, as pixels of the input."""
        sides = np.array([self._card.input.width, self._card.input.height] * 2, np.float32)
        value = value.astype(np.float32, copy=True)
        if value.shape[-1] <= value.shape[-2]:
            value[..., :_BOX] *= sides
        else:
            value[..., :_BOX, :] *= sides[:, None]
        return value


def _turned(shape: tuple[int, ...], mine: AdaptedOutput) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if mine.transposed else shape
