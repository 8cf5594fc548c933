"""Run by the Python of the vendor's own environment, never by ours: exports anomaly models and says what it finds.

Its networks with random weights, "trained" on views of a photograph. Thresholds are set between what the undamaged
photograph gives and what a damaged one does, as its own validation would.

Arguments: a folder for the results, a photograph (``.npy``, BGR), the same with something in it that does not belong
there, names of cases. Writes NAME/weights/onnx/model.onnx each and NAME.npz: score, label and mask of both pictures.
"""

from __future__ import annotations

import logging
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401  before what imports torchvision

# isort: split
import cv2
import numpy as np
import torch

# anomalib imports all its networks at once; those with normalising flows need FrEIA, of which the index has no wheel.
for _module, _names in {
    "FrEIA": (),
    "FrEIA.framework": ("GraphINN", "InputNode", "Node", "OutputNode", "SequenceINN"),
    "FrEIA.modules": ("InvertibleModule",),
}.items():
    sys.modules[_module] = types.ModuleType(_module)
    for _name in _names:
        setattr(sys.modules[_module], _name, type(_name, (), {}))

from anomalib.models import EfficientAd, Padim, Patchcore  # noqa: E402  not before FrEIA has a stand-in

NO_EXTRAS: dict[str, Any] = {"evaluator": False, "visualizer": False}
# name: model, (height, width)
CASES: dict[str, tuple[Callable[[Any], Any], tuple[int, int]]] = {
    "padim": (lambda fed: Padim(backbone="resnet18", pre_trained=False, pre_processor=fed, **NO_EXTRAS), (128, 128)),
    "patchcore": (
        lambda fed: Patchcore(backbone="resnet18", pre_trained=False, pre_processor=fed, **NO_EXTRAS), (128, 128)
    ),
    "efficient-ad": (lambda _fed: EfficientAd(**NO_EXTRAS), (256, 256)),
}  # fmt: skip


def main(folder: Path, photograph: Path, damaged: Path, names: list[str]) -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    for name in names:
        started = time.monotonic()
        build, size_hw = CASES[name]
        good, bad = (fed(np.load(file), size_hw) for file in (photograph, damaged))
        torch.manual_seed(7)
        model = build(Padim.configure_pre_processor(size_hw))
        model.pre_processor = model.pre_processor and model.configure_pre_processor(size_hw)
        model.eval()
        learn(model, good)
        set_thresholds(model, good, bad)
        found = [model(picture) for picture in (good, bad)]
        # Without dynamic shapes: the exporter's default fixes the batch to two pictures.
        model.to_onnx(folder / name, input_size=size_hw, dynamic_shapes=None)
        np.savez(
            folder / f"{name}.npz",
            scores=np.array([float(one.pred_score) for one in found]),
            labels=np.array([bool(one.pred_label) for one in found]),
            masks=np.stack([one.pred_mask.reshape(size_hw).bool().numpy() for one in found]),
        )
        print(f"{name}: {[float(one.pred_score) for one in found]}, {time.monotonic() - started:.1f} s", flush=True)


def fed(frame_bgr: np.ndarray, size_hw: tuple[int, int]) -> torch.Tensor:
    shown = cv2.resize(frame_bgr, size_hw[::-1])
    return torch.from_numpy(np.ascontiguousarray(shown[..., ::-1].transpose(2, 0, 1)))[None].float() / 255


def learn(model: Any, good: torch.Tensor) -> None:
    """What the model keeps of good pictures, where it keeps any: PaDiM's distribution, PatchCore's memory."""
    if not hasattr(model, "fit"):
        return
    seen = torch.cat([(good + 0.02 * torch.randn_like(good)).clamp(0, 1) for _ in range(8)])
    seen = model.pre_processor(seen)
    model.model.train()
    model.model.feature_extractor.eval()
    model.model(seen)
    model.model.eval()
    model.fit()


def set_thresholds(model: Any, good: torch.Tensor, bad: torch.Tensor) -> None:
    """As validation sets them, with room beyond what these two give: a score at an end of its range proves little."""
    post = model.post_processor
    raw = [model.model(model.pre_processor(one) if model.pre_processor else one) for one in (good, bad)]
    for part, seen in (("image", [one.pred_score for one in raw]), ("pixel", [one.anomaly_map for one in raw])):
        low, high = min(float(one.min()) for one in seen), max(float(one.max()) for one in seen)
        threshold = (float(seen[0].max()) + float(seen[1].max())) / 2
        getattr(post, f"{part}_min").fill_(low - (high - low) / 2)
        getattr(post, f"{part}_max").fill_(high + (high - low) / 2)
        getattr(post, f"_{part}_threshold").fill_(threshold)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]), sys.argv[4:] or list(CASES))
