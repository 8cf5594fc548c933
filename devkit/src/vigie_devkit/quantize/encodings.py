"""Encodings made by other tools: scale, offset and bit width per tensor, as AIMET, QNN and ONNX Runtime write them.

Three forms are read: AIMET's 0.6 (``activation_encodings`` and ``param_encodings``, each ``{tensor: [{bitwidth, scale,
offset, is_symmetric}]}``), its 1.0 (lists of ``{name, bw, scale, offset, is_sym}``), and a plain ``{tensor: {scale,
offset, bitwidth}}``. ``offset`` follows AIMET: value = scale * (integer + offset), the integer unsigned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vigie.errors import QuantizationError
from vigie_devkit.quantize.layers import Network

ENCODINGS_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class Encoding:
    """Of one tensor. ``scales`` and ``offsets``: one value, or one per channel."""

    tensor: str
    bits: int
    scales: tuple[float, ...]
    offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Encodings:
    """What a file said. ``unknown``: tensors that the graph does not have."""

    found: tuple[Encoding, ...]
    unknown: tuple[str, ...]

    def activation_bits(self, network: Network) -> int:
        """The widest of the activations: 16 asks for the a16w8 recipe."""
        return max((one.bits for one in self.found if one.tensor not in network.weights), default=8)

    def overrides(self, network: Network) -> dict[str, list[dict[str, Any]]]:
        """In the form of ``TensorQuantOverrides``: weights signed, activations unsigned."""
        from onnxruntime.quantization import QuantType

        kinds = {8: (QuantType.QUInt8, QuantType.QInt8), 16: (QuantType.QUInt16, QuantType.QInt16)}
        made: dict[str, list[dict[str, Any]]] = {}
        for one in self.found:
            is_weight = one.tensor in network.weights
            kind = kinds[one.bits][is_weight]
            middle = 1 << (one.bits - 1) if is_weight else 0
            dtype = np.dtype(f"{'' if is_weight else 'u'}int{one.bits}")
            entries: list[dict[str, Any]] = [
                {
                    "quant_type": kind,
                    "scale": np.array(scale, np.float32),
                    "zero_point": np.array(-offset - middle, dtype),
                }
                for scale, offset in zip(one.scales, one.offsets, strict=True)
            ]
            if len(entries) > 1:
                entries[0]["axis"] = 0
            made[one.tensor] = entries
        return made


def read_encodings(file: Path, network: Network) -> Encodings:
    """Read a file and keep what the graph has.

    Raises: QuantizationError: no such file, not JSON, a value that cannot be; or nothing of it fits the graph.
    """
    try:
        if file.stat().st_size > ENCODINGS_BYTES_MAX:
            raise QuantizationError(str(file), f"has more than {ENCODINGS_BYTES_MAX >> 20} MiB")
        tree = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise QuantizationError(str(file), f"cannot be read as JSON: {error}") from error
    if not isinstance(tree, dict):
        raise QuantizationError(str(file), "expected a mapping of tensors, or AIMET's activation_encodings")
    known = set(network.weights) | network.float_tensors
    found: list[Encoding] = []
    unknown: list[str] = []
    for name, entries in _entries(tree):
        if name not in known:
            unknown.append(name)
            continue
        found.append(_encoding(file, name, entries, network))
    if not found:
        raise QuantizationError(
            str(file), f"none of its {len(unknown)} tensors is in the graph; it was made for another export"
        )
    return Encodings(tuple(found), tuple(unknown))


def _entries(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    parts = [tree[key] for key in ("activation_encodings", "param_encodings") if key in tree] or [tree]
    for part in parts:
        if isinstance(part, dict):
            yield from part.items()
        elif isinstance(part, list):
            for one in part:
                if isinstance(one, dict) and isinstance(one.get("name"), str):
                    yield one["name"], one


def _encoding(file: Path, name: str, entries: Any, network: Network) -> Encoding:
    many = entries if isinstance(entries, list) else [entries]
    try:
        bits = {int(one.get("bitwidth", one.get("bw", 8))) for one in many}
        scales = [float(value) for one in many for value in _listed(one["scale"])]
        offsets = [int(value) for one in many for value in _listed(one.get("offset", 0))]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QuantizationError(
            str(file), f"'{name}': expected scale, offset and bitwidth, got {many!r:.100}"
        ) from error
    if len(offsets) == 1:
        offsets *= len(scales)
    if len(bits) != 1 or not bits <= {8, 16}:
        raise QuantizationError(str(file), f"'{name}': bit width {sorted(bits)}; 8 and 16 can be taken over")
    if not scales or len(offsets) != len(scales) or not all(math.isfinite(one) and one > 0 for one in scales):
        raise QuantizationError(str(file), f"'{name}': each scale must be above 0 and have one offset")
    (width,) = bits
    if not all(-(1 << width) < offset <= 0 for offset in offsets):
        raise QuantizationError(str(file), f"'{name}': offsets lie in {-(1 << width) + 1}..0, got {min(offsets)}")
    channels = network.weights[name].dims[0] if name in network.weights and network.weights[name].dims else 1
    if len(scales) not in {1, channels} or (len(scales) > 1 and name not in network.weights):
        raise QuantizationError(str(file), f"'{name}': {len(scales)} scales for {channels} channels")
    return Encoding(name, width, tuple(scales), tuple(offsets))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
