"""Run by the Python of the vendor's own environment, never by ours: exports detectors and says what the vendor reads.

Small networks of Hugging Face's definitions with random weights, their last layers drawn so that scores and boxes
differ. The float network and the vendor's own ``post_process_object_detection`` give the boxes that an import has to
find again.

Arguments: a folder for the results, a photograph at the networks' size (``.npy``, BGR), names of cases. Writes
NAME.onnx and NAME.npz each.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

import numpy as np
import torch
import transformers as hf

SCORE_MIN = 0.001
CLASSES = 7
SEMANTIC = "segformer"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL: dict[str, Any] = {"num_labels": CLASSES, "num_queries": 60, "d_model": 64}
LAYERS: dict[str, Any] = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128}
HEADS: dict[str, Any] = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}


RESNET: dict[str, Any] = {
    "embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "layer_type": "basic"
}  # fmt: skip
HYBRID: dict[str, Any] = {
    "encoder_hidden_dim": 64, "d_model": 64, "decoder_in_channels": [64, 64, 64], "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128, "num_queries": 60, "decoder_layers": 2, "num_labels": CLASSES,
    "use_pretrained_backbone": False, **HEADS,
}  # fmt: skip


def detr(config: Any, network: Any) -> Any:
    backbone: dict[str, Any] = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
    backbone["backbone_config"] = hf.ResNetConfig(**RESNET, out_features=["stage4"])
    return network(config(**backbone, **SMALL, **LAYERS, **HEADS))


def yolos() -> Any:
    config = hf.YolosConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, image_size=[256, 256],
        patch_size=16, num_detection_tokens=60, num_labels=CLASSES, use_mid_position_embeddings=False,
    )  # fmt: skip
    return hf.YolosForObjectDetection(config)


def rt_detr(config: Any, network: Any) -> Any:
    backbone = hf.RTDetrResNetConfig(**RESNET, out_features=["stage2", "stage3", "stage4"])
    return network(config(backbone_config=backbone, encoder_in_channels=[32, 48, 64], hidden_expansion=0.5, **HYBRID))


def d_fine() -> Any:
    backbone = hf.HGNetV2Config(
        stem_channels=[3, 16, 16],
        hidden_sizes=[32, 48, 64, 80],
        stage_in_channels=[16, 32, 48, 64],
        stage_mid_channels=[16, 16, 16, 16],
        stage_out_channels=[32, 48, 64, 80],
        stage_num_blocks=[1, 1, 1, 1],
        stage_downsample=[False, True, True, True],
        stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 5, 5],
        stage_numb_of_layers=[2, 2, 2, 2],
        out_features=["stage2", "stage3", "stage4"],
    )
    return hf.DFineForObjectDetection(
        hf.DFineConfig(backbone_config=backbone, encoder_in_channels=[48, 64, 80], **HYBRID)
    )


# name: network, its image processor, whether its scores are a softmax
CASES: dict[str, tuple[Any, Any, bool]] = {
    "detr": (lambda: detr(hf.DetrConfig, hf.DetrForObjectDetection), "DetrImageProcessor", True),
    "conditional-detr": (
        lambda: detr(hf.ConditionalDetrConfig, hf.ConditionalDetrForObjectDetection),
        "ConditionalDetrImageProcessor",
        False,
    ),
    "yolos": (yolos, "YolosImageProcessor", True),
    "rt-detr": (lambda: rt_detr(hf.RTDetrConfig, hf.RTDetrForObjectDetection), "RTDetrImageProcessor", False),
    "rt-detr-v2": (lambda: rt_detr(hf.RTDetrV2Config, hf.RTDetrV2ForObjectDetection), "RTDetrImageProcessor", False),
    "d-fine": (d_fine, "RTDetrImageProcessor", False),
}


def segformer() -> Any:
    config = hf.SegformerConfig(
        num_labels=CLASSES, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], decoder_hidden_size=64,
    )  # fmt: skip
    return hf.SegformerForSemanticSegmentation(config)


def segmented(folder: Path, frame_bgr: np.ndarray) -> None:
    """A map, and the class of each place of the picture as the vendor's own processor says."""
    torch.manual_seed(7)
    network = segformer().eval()
    planes = np.ascontiguousarray(frame_bgr[..., ::-1].transpose(2, 0, 1))
    tensor = (torch.from_numpy(planes)[None].float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(
        3, 1, 1
    )
    spread(network, tensor)
    last = network.decode_head.classifier
    last.weight.copy_(torch.randn_like(last.weight))
    last.bias -= network(pixel_values=tensor).logits.mean(dim=(0, 2, 3))  # each class is the greatest somewhere
    found = hf.SegformerImageProcessor().post_process_semantic_segmentation(
        network(pixel_values=tensor), target_sizes=[frame_bgr.shape[:2]]
    )[0]
    torch.onnx.export(
        Logits(network), (tensor,), str(folder / "segformer.onnx"), dynamo=False, opset_version=17,
        input_names=["pixel_values"], output_names=["logits"],
    )  # fmt: skip
    np.savez(folder / "segformer.npz", classes=found.numpy().astype(np.uint8))


class Logits(torch.nn.Module):
    """What an export of a map writes."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.network(pixel_values=pixel_values, return_dict=True).logits


class Pair(torch.nn.Module):
    """What an export writes: logits and boxes, nothing else."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self.network(pixel_values=pixel_values, return_dict=True)
        return seen.logits, seen.pred_boxes


def main(folder: Path, photograph: Path, names: list[str]) -> None:
    frame_bgr = np.load(photograph)
    warnings.filterwarnings("ignore")
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    for name in names:
        started = time.monotonic()
        if name == SEMANTIC:
            segmented(folder, frame_bgr)
            print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
            continue
        build, processor, softmax = CASES[name]
        torch.manual_seed(7)
        network = build().eval()
        planes = np.ascontiguousarray(frame_bgr[..., ::-1].transpose(2, 0, 1))
        tensor = torch.from_numpy(planes)[None].float() / 255
        if softmax or name == "conditional-detr":
            tensor = (tensor - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        spread(network, tensor)
        seen = network(pixel_values=tensor)
        found = getattr(hf, processor)().post_process_object_detection(
            seen, threshold=SCORE_MIN, target_sizes=[frame_bgr.shape[:2]]
        )[0]
        torch.onnx.export(
            Pair(network), (tensor,), str(folder / f"{name}.onnx"), dynamo=False, opset_version=17,
            input_names=["pixel_values"], output_names=["logits", "pred_boxes"],
        )  # fmt: skip
        np.savez(
            folder / f"{name}.npz",
            boxes_xyxy=found["boxes"].numpy(), scores=found["scores"].numpy(),
            class_ids=found["labels"].numpy().astype(np.int32),
        )  # fmt: skip
        print(f"{name}: {len(found['scores'])} boxes, {time.monotonic() - started:.1f} s", flush=True)


def spread(network: Any, tensor: torch.Tensor) -> None:
    """Batch statistics of the picture, and queries and last layers drawn anew.

    An untrained network answers with one value everywhere, and which of its equal answers come first is chance.
    """

    def learn(norm: Any, given: tuple[torch.Tensor, ...]) -> None:
        norm.running_mean.copy_(given[0].mean(dim=(0, 2, 3)))
        norm.running_var.copy_(given[0].var(dim=(0, 2, 3)) + 1e-4)

    norms = [part for part in network.modules() if hasattr(part, "running_mean")]
    hooks = [norm.register_forward_pre_hook(learn) for norm in norms]
    network(pixel_values=tensor)
    for hook in hooks:
        hook.remove()
    for name, values in network.named_parameters():
        if "query_position" in name or "detection_tokens" in name or "enc_score_head.weight" in name:
            values.copy_(torch.randn_like(values))
    for part in network.modules():
        if isinstance(part, torch.nn.Linear) and part.out_features in {CLASSES, CLASSES + 1}:
            part.weight.copy_(torch.randn_like(part.weight) * 0.25)
            part.bias.copy_(torch.randn_like(part.bias) - 1.0)
        elif isinstance(part, torch.nn.Linear) and part.out_features == 4:
            part.weight.copy_(torch.randn_like(part.weight) * 0.15)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or [*CASES, SEMANTIC])
