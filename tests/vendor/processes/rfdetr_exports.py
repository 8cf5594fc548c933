"""Run by the Python of the vendor's own environment, never by ours: exports RF-DETR and says what the vendor finds.

The package's smallest variants with random weights, what tells queries, classes and boxes apart drawn anew. The
vendor's own ``predict`` of the float network gives the boxes that an import of its own export has to find again.

Arguments: a folder for the results, a photograph at the networks' size (``.npy``, BGR), names of cases. Writes
NAME.onnx and NAME.npz each.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

import torchvision_ops  # noqa: F401  before what imports torchvision

# isort: split
import numpy as np
import rfdetr
import torch
from random_weights import answers

SCORE_MIN = 0.001
# name: variant, classes of its training (the export has one column more), queries: as many as there are places. With
# fewer the best proposals are taken, and of random ones chance decides who is the last of these; each query looks at
# all others, so that one other moves all a little.
CASES: dict[str, tuple[str, int, int]] = {
    "nano-seven-classes": ("RFDETRNano", 7, 24 * 24),
    "nano-coco": ("RFDETRNano", 90, 24 * 24),
    "seg-nano-seven-classes": ("RFDETRSegNano", 7, 26 * 26),
}


def main(folder: Path, photograph: Path, names: list[str]) -> None:
    frame_bgr = np.load(photograph)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    for name in names:
        started = time.monotonic()
        variant, classes, queries = CASES[name]
        torch.manual_seed(7)
        model = getattr(rfdetr, variant)(pretrain_weights=None, num_classes=classes, num_queries=queries, device="cpu")
        size = model.model.resolution
        shown = partial(model.predict, np.ascontiguousarray(frame_bgr[:size, :size, ::-1]), threshold=SCORE_MIN)
        spread(model.model.model, shown)
        found = shown()
        written = {
            "boxes_xyxy": found.xyxy, "scores": found.confidence, "class_ids": found.class_id.astype(np.int32),
        }  # fmt: skip
        model.export(output_dir=str(folder), output_name=name, verbose=False)
        np.savez(folder / f"{name}.npz", size=size, **written)
        print(f"{name}: {len(found)} boxes of {size} px, {time.monotonic() - started:.1f} s", flush=True)


def spread(network: Any, run: Any) -> None:
    """What tells places, classes and boxes apart; what tells one query from another goes."""
    for name, values in network.named_parameters():
        if name == "query_feat.weight":
            # Proposals get a query each, by rank, and which of two that are nearly alike comes first is chance.
            values.copy_(values[:1].expand_as(values).clone())
        elif name.endswith("class_embed.weight") or "enc_out_class_embed" in name:
            values.copy_(torch.randn_like(values) * 0.2)
        elif "bbox_embed" in name and "layers.2.weight" in name:
            values.copy_(torch.randn_like(values) * 0.1)
    (seen,) = answers([network.class_embed], run)[-1:]
    factor = 1.5 / float(seen.std())
    network.class_embed.weight *= factor
    network.class_embed.bias.copy_((network.class_embed.bias - seen.flatten(0, -2).mean(dim=0)) * factor - 3.0)
    network.class_embed.bias[-1] -= 10.0  # the column that means nothing, as training leaves it


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or list(CASES))
