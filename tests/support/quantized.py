"""Quantized variants made by ONNX Runtime's own tool: what engines have to run, whatever kit writes the files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vigie.models import Bundle, load_bundle
from vigie.models.card import CardVariant, write_card
from vigie.synthetic import SceneSpec, open_scene
from vigie.vision.letterbox import letterbox_into

VARIANTS = {"int8-u8s8": ("int8", "u8"), "a16w8": ("a16w8", "u16")}


def with_quantized(
    bundle: Bundle, folder: Path, names: Sequence[str], frames_hwc: Sequence[np.ndarray[Any, Any]]
) -> Bundle:
    """A copy of the bundle in ``folder`` with the named variants beside fp32, calibrated on ``frames_hwc``."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._frames: Iterator[np.ndarray[Any, Any]] = iter(frames_hwc)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            frame = next(self._frames, None)
            return None if frame is None else {bundle.card.input.name: frame[None]}

    shutil.copytree(bundle.folder, folder)
    variants = dict(bundle.card.variants)
    for name in names:
        precision, activations = VARIANTS[name]
        file = folder / f"{name}.onnx"
        quantize_static(
            str(bundle.variant("fp32").file),
            str(file),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type={"u8": QuantType.QUInt8, "u16": QuantType.QUInt16}[activations],
            weight_type=QuantType.QInt8,
            # Without it Focus's slices stay in float, which the HTP's preparation refuses.
            extra_options={"ForceQuantizeNoInputCheck": True},
        )
        variants[name] = CardVariant(
            file=file.name,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            precision=precision,  # type: ignore[arg-type]  # of the table above
            form="qdq",
            activations=activations,  # type: ignore[arg-type]  # likewise
            weights="s8",
            per_channel=True,
            opset=21,
        )
    (folder / "card.yaml").write_bytes(write_card(msgspec.structs.replace(bundle.card, variants=variants)))
    return load_bundle(folder)


def conveyor_frames(bundle: Bundle, count: int, *, seed: int = 31) -> list[np.ndarray[Any, Any]]:
    """Pictures of belts fitted to the model's input; nothing of the shipped model's training is among them."""
    frames = []
    for number in range(count):
        scene = open_scene(SceneSpec(seed=seed + number, size_wh=(640, 480)))
        frames.append(fitted(bundle, scene.render(40 + 61 * number)))
    return frames


def fitted(bundle: Bundle, picture_bgr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The picture as preprocess would send it."""
    facts = bundle.card.input
    tensor = np.empty((facts.height, facts.width, 3), np.uint8)
    letterbox_into(picture_bgr, tensor, align=facts.align, pad_value=facts.pad_value)
    return tensor
