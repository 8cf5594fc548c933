"""What the vendors' own packages export and find, asked in environments of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.data import real_input
from support.vendor_agreement import DETECTORS
from support.vendor_env import run_vendor, vendor_python
from vigie_devkit.models.pictures import scene

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def frame_bgr() -> np.ndarray:
    """A photograph of people; decoded once, so that both sides see the same pixels."""
    return cv2.imread(str(real_input("people1.jpeg")))


@pytest.fixture(scope="session")
def detectors_python() -> Path:
    """The Python of the environment that several vendors share."""
    probe = (
        f"import sys; sys.path.append({str(HERE / 'processes')!r}); import torchvision_ops, kornia, lightning, onnx, "
        "onnxscript, pandas, pydantic, seaborn, supervision, timm, transformers, ultralytics"
    )
    return vendor_python(DETECTORS, probe=probe)


@pytest.fixture(scope="session")
def ultralytics_exports(tmp_path_factory: pytest.TempPathFactory, frame_bgr: np.ndarray) -> Path:
    """A folder of NAME.onnx and NAME.npz, see ``processes/ultralytics_exports.py``."""
    python = vendor_python(HERE / "ultralytics.txt", probe="import torch, ultralytics; from ultralytics import YOLO")
    folder = tmp_path_factory.mktemp("ultralytics")
    np.save(folder / "photograph.npy", frame_bgr)
    np.save(folder / "drawn.npy", np.stack([scene((256, 256), seed=seed) for seed in (7, 8)]))  # as import draws them
    script = HERE / "processes/ultralytics_exports.py"
    print(run_vendor(python, script, folder, folder / "photograph.npy", folder / "drawn.npy"))
    return folder
