"""Networks that are known by their outputs and that no decoder reads: a refusal names them and what would be needed."""

from __future__ import annotations

from dataclasses import dataclass

from vigie_devkit.models.signature import Signature


@dataclass(frozen=True, slots=True)
class _Known:
    """``parts``: of output names, all of which occur. ``gives``: what comes out in place of boxes, and what to do."""

    parts: tuple[str, ...]
    who: str
    gives: str


_KNOWN = (
    _Known(
        ("output_bbox", "output_cov"),
        "a DetectNet_v2 of NVIDIA TAO (PeopleNet, TrafficCamNet)",
        "a grid of boxes that has to be clustered; export a YOLO, RT-DETR or EfficientDet of TAO with its suppression",
    ),
    _Known(
        ("class_queries_logits", "masks_queries_logits"),
        "a MaskFormer or Mask2Former of Hugging Face",
        "classes and masks of queries; export a SegFormer, or a model of Ultralytics' task segment",
    ),
    _Known(("predicted_depth",), "a depth network", "a distance for each place"),
    _Known(("image_embeddings", "high_res_feats"), "the encoder of Segment Anything", "features for its decoder"),
    _Known(("iou_predictions", "low_res_masks"), "the decoder of Segment Anything", "masks for a prompt"),
    _Known(
        ("regressors", "classificators"),
        "a MediaPipe detector (BlazeFace, palm, pose)",
        "offsets from anchors of its own; for faces import YuNet, SCRFD or RetinaFace",
    ),
    _Known(
        ("image_embeds", "text_embeds"),
        "a CLIP with both of its halves",
        "a picture and a text; export the picture's half alone and import it with --family embedding",
    ),
)


def not_read(signature: Signature) -> str:
    """What this network is and what would be needed, by the names and shapes of its outputs; empty if unknown."""
    names = [port.name.lower() for port in signature.outputs]
    for known in _KNOWN:
        if all(any(part in name for name in names) for part in known.parts):
            return f"looks like {known.who}, which no decoder reads: it gives {known.gives}"
    return _raw_heads(signature) or _heat_maps(signature)


def _raw_heads(signature: Signature) -> str:
    """Two to four maps whose sides halve from one to the next, with a whole number of anchors each."""
    maps = sorted(
        (port.shape for port in signature.outputs if len(port.shape) in {4, 5}), key=lambda one: -max(one[2:4])
    )
    height, width = signature.input_hw
    sides = [shape[-2:] if len(shape) == 4 else shape[2:4] for shape in maps]
    if len(maps) != len(signature.outputs) or len(maps) not in {2, 3, 4} or len({shape[1] for shape in maps}) != 1:
        return ""
    steps = [(height / rows, width / columns) for rows, columns in sides]
    if any(step[0] != step[1] or step[0] not in {4, 8, 16, 32, 64} for step in steps) or len(set(steps)) != len(steps):
        return ""
    told = ", ".join(str(list(shape)) for shape in maps)
    return (
        f"looks like the raw heads of a YOLO ({told}): the grid, and anchors that are not in the file, have yet to be "
        "applied; export it with its decoding (YOLOv5: export.py without --train; YOLOX: --decode_in_inference)"
    )


def _heat_maps(signature: Signature) -> str:
    """CenterNet: class heat maps beside sizes and offsets of two channels at a quarter of the picture."""
    height, width = signature.input_hw
    quarter = [
        port for port in signature.outputs if port.shape[2:] == (height // 4, width // 4) and len(port.shape) == 4
    ]
    if len(quarter) != len(signature.outputs) or len(quarter) not in {2, 3}:
        return ""
    if sum(port.shape[1] == 2 for port in quarter) != len(quarter) - 1:
        return ""
    return (
        "looks like CenterNet: peaks of heat maps, with sizes and offsets beside them, which no decoder reads; export "
        "a network that gives boxes"
    )
