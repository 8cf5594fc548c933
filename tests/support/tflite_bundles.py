"""Bundles with a .tflite variant, made by the product's own commands; LiteRT has to be installed."""

from __future__ import annotations

from pathlib import Path

from support import models
from vigie.models import Bundle, load_bundle
from vigie_devkit.__main__ import main
from vigie_devkit.models.importer import import_model


def onnx_bundle(folder: Path) -> Bundle:
    """The twin detector as ONNX alone."""
    from support import tflite_models as twin

    file = models.save(twin.as_onnx(twin.Weights.drawn()), folder, "twin.onnx")
    labels = folder / "labels.txt"
    labels.write_text("\n".join(twin.CLASSES))
    return load_bundle(import_model(file, folder / "twin", family="yolov8", labels=labels, trust=True))


def attached(bundle: Bundle, folder: Path, *words: str, **how: object) -> tuple[int, Bundle | None]:
    """``models attach`` of the twin's .tflite file: its exit code, and the new bundle. Args: how: of ``as_tflite``."""
    from support import tflite_models as twin

    file = folder / "twin.tflite"
    file.write_bytes(twin.as_tflite(twin.Weights.drawn(), **how))  # type: ignore[arg-type]
    code = main(["models", "attach", str(bundle.folder), str(file), "--output", str(folder / "out"), *words])
    return code, load_bundle(folder / "out") if code == 0 else None


def with_tflite(folder: Path, **how: object) -> Bundle:
    """The twin detector with both variants."""
    code, bundle = attached(onnx_bundle(folder), folder, **how)
    assert code == 0
    assert bundle is not None
    return bundle
