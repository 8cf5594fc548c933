"""Run by the Python of the vendor's own environment, never by ours: exports models and says what the vendor reads.

Each network has random weights, made from the vendor's YAML definition. Its batch statistics are set on the picture and
the last layers are rescaled so that scores spread over decades: untrained heads answer with one value everywhere, and a
comparison of those would prove nothing. Of the float network (not of the export) the vendor's own letterbox,
suppression and inverse give the boxes that an import has to find again.

Arguments: a folder for the results, a photograph (``.npy``, BGR) to detect on, drawn pictures (N, H, W, 3) that only
take part in the scaling, names of cases. Writes NAME.onnx and NAME.npz each.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}

import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils import ops
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes, scale_coords

SCORE_MIN, IOU_MAX = 0.001, 0.45
SEEN, SEEN_OF_FEW = 330, 800  # anchors of the photograph above SCORE_MIN; few classes suppress more
SCORE_MAX = 0.9  # of the best of all pictures: saturated scores are all alike
NAMES = {0: "bolt", 1: "nut", 2: "washer"}
SUPPRESSED: dict[str, Any] = {"nms": True, "conf": SCORE_MIN, "iou": IOU_MAX}

# name: definition, (height, width), arguments of the export, number of classes (None: the definition's)
CASES: dict[str, tuple[str, tuple[int, int], dict[str, Any], int | None]] = {
    "yolov5nu": ("yolov5n.yaml", (256, 256), {}, None),
    "yolov8n": ("yolov8n.yaml", (256, 256), {}, None),
    "yolov8n-three-classes": ("yolov8n.yaml", (320, 448), {}, 3),
    "yolov8n-open-input": ("yolov8n.yaml", (256, 256), {"dynamic": True}, None),
    "yolov8n-half": ("yolov8n.yaml", (256, 256), {"quantize": 16}, None),
    "yolov8n-p2": ("yolov8n-p2.yaml", (256, 256), {}, None),
    "yolov9t": ("yolov9t.yaml", (256, 256), {}, None),
    "yolov10n": ("yolov10n.yaml", (256, 256), {"nms": False}, None),
    "yolov10n-raw": ("yolov10n.yaml", (256, 256), {}, None),
    "yolo11n": ("yolo11n.yaml", (256, 256), {"opset": 12}, None),
    "yolo12n": ("yolo12n.yaml", (256, 256), {}, None),
    "yolo26n": ("yolo26n.yaml", (256, 256), {"nms": False}, None),
    "yolo26n-raw": ("yolo26n.yaml", (256, 256), {}, None),
    "yolov8n-cls": ("yolov8n-cls.yaml", (224, 224), {}, 10),
    "yolov8n-seg": ("yolov8n-seg.yaml", (256, 320), {}, None),
    "yolo11n-seg": ("yolo11n-seg.yaml", (256, 256), {}, None),
    "yolo26n-seg": ("yolo26n-seg.yaml", (256, 256), {"nms": False}, None),
    "yolov8n-pose": ("yolov8n-pose.yaml", (256, 320), {}, None),
    "yolo11n-pose": ("yolo11n-pose.yaml", (256, 256), {}, None),
    "yolo26n-pose": ("yolo26n-pose.yaml", (256, 256), {"nms": False}, None),
    "yolo26n-sem": ("yolo26-sem.yaml", (256, 256), {}, 5),
    "yolov8n-obb": ("yolov8n-obb.yaml", (256, 320), {}, None),
    "yolo11n-obb": ("yolo11n-obb.yaml", (256, 256), {}, None),
    "yolo26n-obb": ("yolo26n-obb.yaml", (256, 256), {"nms": False}, None),
    "yolov8n-nms": ("yolov8n.yaml", (256, 256), SUPPRESSED, None),
    "yolo11n-nms": ("yolo11n.yaml", (256, 256), SUPPRESSED, None),
    "yolov8n-pose-nms": ("yolov8n-pose.yaml", (256, 320), SUPPRESSED, None),
    "yolov8n-seg-nms": ("yolov8n-seg.yaml", (256, 320), SUPPRESSED, None),
    "yolov8n-obb-nms": ("yolov8n-obb.yaml", (256, 320), SUPPRESSED, None),
}


def main(folder: Path, photograph: Path, drawn: Path, names: list[str]) -> None:
    frame_bgr, drawn_bgr = np.load(photograph), np.load(drawn)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    for name in names:
        started = time.monotonic()
        workplace = folder / f"{name}.d"  # the export is named after its definition
        workplace.mkdir()
        os.chdir(workplace)
        definition, size_hw, options, classes = CASES[name]
        torch.manual_seed(7)
        model = YOLO(definition)
        if classes is not None:
            sized = type(model.model)(model.model.yaml, nc=classes, verbose=False)
            sized.args, sized.task = model.model.args, model.task
            model.model = sized
        if classes == len(NAMES):
            model.model.names = NAMES
        tensor = fed(frame_bgr, size_hw, stretch=model.task == "classify")
        both = torch.cat((tensor, *(fed(one, size_hw, stretch=True) for one in drawn_bgr)))
        if hasattr(model.model, "end2end"):  # which of its two heads answers
            model.model.end2end = options.get("nms") is False
        spread(model.model, both, small=options.get("nms") is True)
        written: dict[str, Any] = {}
        if model.task in {"detect", "pose", "segment", "obb"}:
            written = detected(model.model, tensor, frame_bgr.shape[:2])
        elif model.task == "semantic":
            shown = torch.nn.functional.interpolate(model.model.eval()(tensor), tensor.shape[2:], mode="bilinear")
            written = {"classes": ops.scale_masks(shown, frame_bgr.shape[:2])[0].argmax(0).numpy().astype(np.uint8)}
        elif model.task == "classify":
            written = {"scores": model.model.eval()(tensor)[0][0].numpy()}
        if options.get("nms"):
            import torchvision_ops  # noqa: F401  suppression in the graph is torchvision's
        exported = model.export(format="onnx", imgsz=list(size_hw), **options)
        (workplace / exported).rename(folder / f"{name}.onnx")
        np.savez(folder / f"{name}.npz", **written)
        print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)


def fed(frame_bgr: np.ndarray, size_hw: tuple[int, int], *, stretch: bool) -> torch.Tensor:
    """The picture as the vendor feeds it: letterboxed, RGB, 0..1, NCHW."""
    shown = LetterBox(size_hw, auto=False, scale_fill=stretch)(image=frame_bgr)
    planes = np.ascontiguousarray(shown[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def spread(network: Any, pictures: torch.Tensor, *, small: bool) -> None:
    """Batch statistics of the pictures; class logits such that scores run from below SCORE_MIN to SCORE_MAX.

    ``small``: boxes of a few cells, as trained ones are. Of finished boxes larger than the picture import cannot tell
    whether they are corners or centre and size.
    """
    network.train()
    for norm in (part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of what was seen
    network(torch.cat((pictures, pictures.flip(3))))
    network.eval()
    head = network.model[-1]
    if hasattr(head, "linear"):
        (seen,) = answers([head.linear], lambda: network(pictures))
        rescale([head.linear], 2.0 / float(seen.std()), 0.0, 0.0)
        return
    if hasattr(head, "classifier"):  # each class is the greatest somewhere
        layer = last(head.classifier)
        (seen,) = answers([layer], lambda: network(pictures[:1]))
        layer.bias -= seen.mean(dim=(0, 2, 3))
        return
    for branch in ("cv3", "one2one_cv3"):
        layers = [last(level) for level in getattr(head, branch, None) or ()]
        seen = answers(layers, lambda: network(pictures))
        if seen:
            best = torch.cat([level.amax(1).flatten(1) for level in seen], dim=1)
            wanted = SEEN if head.nc > len(NAMES) else SEEN_OF_FEW
            low, high = float(best[0].sort().values[-wanted]), float(best.max())
            rescale(layers, (logit(SCORE_MAX) - logit(SCORE_MIN)) / (high - low), low, logit(SCORE_MIN))
    for branch in ("cv2", "one2one_cv2"):
        for layer in [last(level) for level in getattr(head, branch, None) or ()]:
            for seen in answers([layer], lambda: network(pictures)):
                if head.reg_max == 1:  # distances in strides: none may be negative
                    nearest, middle = float(seen.min()), float(seen.median())
                    rescale([layer], 2.5 / (middle - nearest), nearest, 0.5)
                else:  # logits of a distribution over bins
                    rescale([layer], 2.0 / float(seen.std()), float(seen.mean()), 0.0)
                    if small:
                        layer.bias -= 0.8 * torch.arange(head.reg_max).repeat(4)


def last(level: Any) -> Any:
    """The last convolution of a level, with noise: untrained ones are nearly alike for every class."""
    layer = [part for part in level.modules() if isinstance(part, torch.nn.Conv2d)][-1]
    layer.weight += torch.randn_like(layer.weight) * layer.weight.std()
    return layer


def answers(layers: list[Any], run: Any) -> list[torch.Tensor]:
    """What these layers give for the picture; nothing of a branch that does not answer in this mode."""
    seen: list[torch.Tensor] = []
    hooks = [layer.register_forward_hook(lambda _layer, _given, answer: seen.append(answer)) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    return seen


def rescale(layers: list[Any], factor: float, before: float, after: float) -> None:
    """An affine change of the layers' answers: what was ``before`` becomes ``after``."""
    for layer in layers:
        layer.weight *= factor
        layer.bias.copy_((layer.bias - before) * factor + after)


def logit(score: float) -> float:
    return math.log(score / (1 - score))


def detected(network: Any, tensor: torch.Tensor, frame_hw: tuple[int, int]) -> dict[str, Any]:
    """What the vendor finds, in pixels of the picture."""
    options = {"nc": len(network.names), "max_det": 300, "end2end": bool(getattr(network, "end2end", False))}
    if network.task == "obb":
        options["rotated"] = True
    answer, prototypes = network.eval()(tensor), None
    if hasattr(network.model[-1], "proto"):
        answer, prototypes = answer[0]
    found = non_max_suppression(answer, SCORE_MIN, IOU_MAX, **options)[0]
    if options.get("rotated"):
        # In the tensor: the vendor's way back scales both sides as if they were not turned.
        oriented = torch.cat((found[:, :4], found[:, -1:]), dim=1).numpy()
        return {"oriented": oriented, "scores": found[:, 4].numpy(), "class_ids": found[:, 5].numpy().astype(np.int32)}
    boxes = scale_boxes(tuple(tensor.shape[2:]), found[:, :4].clone(), frame_hw)
    written = {
        "boxes_xyxy": boxes.numpy(),
        "scores": found[:, 4].numpy(),
        "class_ids": found[:, 5].numpy().astype(np.int32),
    }
    if prototypes is not None:
        # At the tensor's size, in the clipped boxes that the masks are cut to.
        inside = ops.clip_boxes(found[:, :4].clone(), tuple(tensor.shape[2:]))
        masks = ops.process_mask(prototypes[0], found[:, 6:], inside, tuple(tensor.shape[2:]), upsample=True)
        written["masks"], written["tensor_xyxy"] = masks.numpy().astype(bool), inside.numpy()
    elif found.shape[1] > 6:
        points = found[:, 6:].reshape(len(found), *network.kpt_shape)
        written["keypoints"] = scale_coords(tuple(tensor.shape[2:]), points.clone(), frame_hw).numpy()
    return written


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]), sys.argv[4:] or list(CASES))
