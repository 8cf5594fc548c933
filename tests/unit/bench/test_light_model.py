"""The model that costs next to nothing is a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie_devkit.bench.light_model import write_light_model
from vigie_devkit.models import import_model


def test_it_imports_as_yolox_and_sees_a_few_things_in_every_picture(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(write_light_model(tmp_path / "light.onnx", side=96), tmp_path / "bundle"))
    picture = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    with open_engine(bundle, threads=1) as engine:
        found = make_decoder(bundle.card)(engine.run(picture), score_min=0.3, iou_max=0.5, classes=None)
    assert 1 <= len(found.scores) <= 3
