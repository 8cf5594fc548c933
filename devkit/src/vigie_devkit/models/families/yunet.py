"""YuNet: outputs cls_S, obj_S, bbox_S, kps_S for strides 8, 16, 32; BGR 0..255, padded at the right and bottom with 0.

Source: opencv/opencv, modules/objdetect/src/face_detect.cpp (names, padding to a multiple of 32, no scaling).
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Signature

STRIDES = (8, 16, 32)
FEED = Feed("bgr", "top_left", pad_value=0)


def by_names(signature: Signature) -> Iterator[Recognition]:
    ports = [signature.output(f"{part}_{stride}") for part in ("cls", "obj", "bbox") for stride in STRIDES]
    found = [port for port in ports if port is not None and len(port.shape) == 3]
    if len(found) != len(ports) or [port.shape[2] for port in found] != [1] * 6 + [4] * 3:
        return
    landmarks = [signature.output(f"kps_{stride}") for stride in STRIDES]
    points = [port for port in landmarks if port is not None and port.shape[2:] == (10,)]
    posed = len(points) == len(STRIDES)
    yield Recognition(
        family="yunet",
        decoder="yunet",
        feed=FEED,
        outputs=tuple(port.name for port in (*found, *(points if posed else ()))),
        class_count=1,
        labels=("face",),
        task="pose" if posed else "detection",
        score_min=0.7,
        iou_max=0.3,
        why=f"outputs cls, obj, bbox{', kps' if posed else ''} at strides 8, 16, 32",
    )
