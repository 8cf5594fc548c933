"""The gate that placement alone cannot be, on Qualcomm's emulated HTP: both files are placed there whole and strictly;
YOLOX-nano in 8 bits answers wrongly and is refused, the shipped detector with 16-bit activations is accepted.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from support.checkout import ROOT
from support.data import real_input
from support.engines import needs
from support.quantized import conveyor_frames, fitted, with_quantized
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, EngineSettings, open_engine
from vigie.runtimes.parity import ParityResult, judge
from vigie_devkit.models import import_model

EMULATED_TIMEOUT_S = 1500


@pytest.fixture(scope="module")
def yolox(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles")
    pictures = [real_input("people1.jpeg")]
    bundle = load_bundle(import_model(real_input("yolox_nano.onnx"), folder / "fp32", pictures=pictures))
    frames = [fitted(bundle, read(name)) for name in ("people1.jpeg", "road1.jpg")]
    return with_quantized(bundle, folder / "quantized", ["int8-u8s8"], frames)


def read(name: str) -> np.ndarray[Any, Any]:
    picture = cv2.imread(str(real_input(name)))
    assert picture is not None
    return picture


@pytest.fixture(scope="module")
def conveyor(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """What ships, if it has a 16-bit variant; until then one made of its float variant."""
    shipped = load_bundle(ROOT / "shared/models/conveyor-parts")
    if any(variant.precision == "a16w8" for variant in shipped.card.variants.values()):
        return shipped
    folder = tmp_path_factory.mktemp("bundles") / "conveyor"
    return with_quantized(shipped, folder, ["a16w8"], conveyor_frames(shipped, 4))


def judged(bundle: Bundle, candidate: Candidate) -> ParityResult:
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)[:1]]
    with open_engine(bundle, candidate, settings=EngineSettings(strict=True)) as engine:
        return judge(bundle.card, engine.run, pairs)


@needs("qnn")
@pytest.mark.timeout(EMULATED_TIMEOUT_S)
def test_yolox_nano_in_eight_bits_is_refused_on_the_htp_with_figures(yolox: Bundle, capsys: Any) -> None:
    parity = judged(yolox, Candidate("onnxruntime", "qnn-htp", "HTP", "int8-u8s8", 1))
    with capsys.disabled():
        print(f"\nYOLOX-nano U8S8 on the emulated HTP: {parity}")
    assert not parity.passed
    assert parity.cosine is not None
    assert parity.cosine < 0.97
    assert "F1 against the reference is" in parity.why
    assert f"{parity.agreement:.3f}" in parity.why


@needs("qnn")
@pytest.mark.timeout(EMULATED_TIMEOUT_S)
def test_the_shipped_detector_with_sixteen_bit_activations_is_accepted_on_the_htp(
    conveyor: Bundle, capsys: Any
) -> None:
    name = next(name for name, variant in conveyor.card.variants.items() if variant.precision == "a16w8")
    parity = judged(conveyor, Candidate("onnxruntime", "qnn-htp", "HTP", name, 1))
    with capsys.disabled():
        print(f"\nconveyor-parts a16w8 on the emulated HTP: {parity}")
    assert parity.passed, parity.why
    assert parity.finite
    assert parity.cosine is not None
    assert parity.cosine > 0.99
