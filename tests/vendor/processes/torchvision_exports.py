"""Run by the Python of the vendor's own environment, never by ours: exports models and says what torchvision finds.

Random weights; batch statistics are set on the picture and class scores are spread as in ``ultralytics_exports.py``.

Arguments: a folder for the results, a picture (``.npy``, BGR, of the size that is exported), names of cases.
Writes NAME.onnx and NAME.npz each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torchvision_ops  # noqa: F401  before what imports torchvision

# isort: split
import numpy as np
import torch
from torchvision.models import detection, mobilenet_v3_small, resnet18, segmentation

SCORE_MIN, DETECTIONS_MAX = 0.001, 300
CLASSES = 7  # of semantic segmentation
NONE: dict[str, Any] = {"weights": None, "weights_backbone": None}
ONE_STAGE = NONE | {"score_thresh": SCORE_MIN, "detections_per_img": DETECTIONS_MAX}
TWO_STAGES = NONE | {"box_score_thresh": SCORE_MIN, "box_detections_per_img": DETECTIONS_MAX}

CASES: dict[str, Any] = {
    "ssdlite320": lambda: detection.ssdlite320_mobilenet_v3_large(**ONE_STAGE),
    "ssd300": lambda: detection.ssd300_vgg16(**ONE_STAGE),
    "fasterrcnn": lambda: detection.fasterrcnn_mobilenet_v3_large_320_fpn(**TWO_STAGES),
    "retinanet": lambda: detection.retinanet_resnet50_fpn(**ONE_STAGE, min_size=320, max_size=320),
    "fcos": lambda: detection.fcos_resnet50_fpn(**ONE_STAGE, min_size=320, max_size=320),
    "resnet18": lambda: resnet18(weights=None),
    "mobilenet": lambda: mobilenet_v3_small(weights=None),
    "lraspp": lambda: segmentation.lraspp_mobilenet_v3_large(**NONE, num_classes=CLASSES),
    "deeplabv3": lambda: segmentation.deeplabv3_mobilenet_v3_large(**NONE, num_classes=CLASSES, aux_loss=True),
}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main(folder: Path, picture: Path, names: list[str]) -> None:
    torch.set_grad_enabled(False)
    planes = np.ascontiguousarray(np.load(picture)[..., ::-1].transpose(2, 0, 1))
    tensor = torch.from_numpy(planes).float() / 255
    for name in names:
        started = time.monotonic()
        torch.manual_seed(7)
        network = CASES[name]()
        if "segmentation" in type(network).__module__:
            export_semantic(network, tensor, folder / name)
        elif hasattr(network, "backbone"):
            export_detector(network, tensor, folder / name)
        else:
            export_classifier(network, tensor, folder / name)
        print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)


def export_classifier(network: Any, tensor: torch.Tensor, at: Path) -> None:
    shown = normalised(tensor)
    settle(network, shown)
    torch.onnx.export(network, (shown,), str(at) + ".onnx", dynamo=False, input_names=["input"])
    np.savez(str(at) + ".npz", scores=network(shown)[0].softmax(0).numpy())


def export_semantic(network: Any, tensor: torch.Tensor, at: Path) -> None:
    """Classifiers drawn anew, each of whose classes is the greatest somewhere."""
    shown = normalised(tensor)
    settle(network, shown)
    for layer in (part for part in network.modules() if isinstance(part, torch.nn.Conv2d) and part.bias is not None):
        if layer.out_channels == CLASSES:
            layer.weight.copy_(torch.randn_like(layer.weight))
    last = (
        network.classifier.high_classifier if hasattr(network.classifier, "high_classifier") else network.classifier[-1]
    )
    last.bias -= network(shown)["out"].mean(dim=(0, 2, 3))
    seen = network(shown)
    torch.onnx.export(
        network, (shown,), str(at) + ".onnx", dynamo=False, opset_version=17,
        input_names=["input"], output_names=list(seen),
    )  # fmt: skip
    np.savez(str(at) + ".npz", classes=seen["out"][0].argmax(0).numpy().astype(np.uint8))


def normalised(tensor: torch.Tensor) -> torch.Tensor:
    return ((tensor - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None])[None]


def export_detector(network: Any, tensor: torch.Tensor, at: Path) -> None:
    network.eval()
    shown, _ = network.transform([tensor])
    settle(network.backbone, shown.tensors)
    for layer in class_layers(network):
        spread(layer, lambda: network([tensor]))
    if hasattr(network, "head") and hasattr(network.head.regression_head, "bbox_ctrness"):
        network.head.regression_head.bbox_reg.bias += 1.0  # FCOS: as trained, no distance ends at zero
    found = network([tensor])[0]
    np.savez(
        str(at) + ".npz",
        boxes_xyxy=found["boxes"].numpy(),
        scores=found["scores"].numpy(),
        class_ids=found["labels"].numpy().astype(np.int32),
    )
    torch.onnx.export(
        network,
        ([tensor],),
        str(at) + ".onnx",
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["boxes", "labels", "scores"] if "roi_heads" in dict(network.named_children()) else None,
    )


def settle(network: Any, pictures: torch.Tensor) -> None:
    network.train()
    for norm in (part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None
    network(torch.cat((pictures, pictures.flip(3), pictures.flip(2))))
    network.eval()


def class_layers(network: Any) -> list[Any]:
    """The layers that give class logits."""
    if hasattr(network, "roi_heads"):
        return [network.roi_heads.box_predictor.cls_score]
    head = network.head.classification_head
    if hasattr(head, "cls_logits"):
        return [head.cls_logits]
    return [[part for part in level.modules() if isinstance(part, torch.nn.Conv2d)][-1] for level in head.module_list]


def spread(layer: Any, run: Any) -> None:
    """Noise in the weights, then logits of deviation 2."""
    seen: list[torch.Tensor] = []
    layer.weight += torch.randn_like(layer.weight) * layer.weight.std()
    hook = layer.register_forward_hook(lambda _layer, _given, answer: seen.append(answer))
    run()
    hook.remove()
    values = torch.cat([answer.flatten() for answer in seen])
    factor = 2.0 / float(values.std())
    layer.weight *= factor
    layer.bias.copy_((layer.bias - float(values.mean())) * factor - 3.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or list(CASES))
