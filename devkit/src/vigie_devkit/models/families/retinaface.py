"""RetinaFace: [1, A, 4] offsets, [1, A, 2] scores, [1, A, 10] landmarks over two priors per cell at strides 8, 16, 32.

BGR minus the mean (123, 117, 104 as RGB), top left. The names vary with the exporter; the number of rows and the values
tell: offsets from priors are small numbers about 0, boxes in pixels or shares are not.

Source: biubug6/Pytorch_Retinaface, convert_to_onnx.py, detect.py; see ``vigie.vision.decoders.retinaface``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.vision.decoders.retinaface import priors_xywh
from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature

FEED = feed_of("bgr/caffe", "top_left", 0)
OTHERS = (feed_of("rgb/0..1", "top_left", 0), feed_of("rgb/imagenet", "top_left", 0))
# Boxes that are centred in the picture, or in pixels, have a mean far from this.
_MEAN_MAX = 3.0


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) not in {2, 3} or signature.nhwc:
        return
    rows = len(priors_xywh(signature.input_hw))
    found = [_port(signature, rows, width) for width in (2, 4, 10)]
    scores, boxes, points = found
    if scores is None or boxes is None or (points is None and len(signature.outputs) == 3):
        return
    table, offsets = signature.probe.get(scores.name), signature.probe.get(boxes.name)
    softmax = table is not None and not (are_shares(table) and np.allclose(table.sum(axis=-1), 1.0, atol=1e-2))
    if offsets is not None and not _are_offsets(offsets.reshape(-1, 4), signature.input_hw):
        yield Doubt(
            "retinaface",
            f"[1,{rows},4] and [1,{rows},2] look like RetinaFace's, but its boxes are not offsets from priors; pass "
            "--card with decoder ultraface or dense, and how boxes are written",
        )
        return
    ports = [port for port in found if port is not None]
    yield Recognition(
        family="retinaface",
        decoder="retinaface",
        params={"softmax": True} if softmax else {},
        feed=FEED,
        other_feeds=OTHERS,
        outputs=tuple(port.name for port in ports),
        class_count=1,
        labels=("face",),
        task="detection" if points is None else "pose",
        score_min=0.5,
        iou_max=0.4,
        why=f"{rows} priors of RetinaFace: {', '.join(f'{port.name} {list(port.shape)}' for port in ports)}",
    )


def _port(signature: Signature, rows: int, width: int) -> Port | None:
    fitting = [port for port in signature.outputs if port.shape == (1, rows, width)]
    return fitting[0] if len(fitting) == 1 else None


def _are_offsets(values: np.ndarray, input_hw: tuple[int, int]) -> bool:
    """Boxes as shares lie in 0..1 and follow their cells; boxes in pixels are large. Offsets do neither."""
    if not np.isfinite(values).all() or float(np.abs(np.median(values, axis=0)).max()) > _MEAN_MAX:
        return False
    priors = priors_xywh(input_hw)
    for axis in (0, 1):
        column, place = values[:, axis].astype(np.float64), priors[:, axis].astype(np.float64)
        if np.std(column) > 0 and np.std(place) > 0 and abs(np.corrcoef(column, place)[0, 1]) > 0.9:
            return False
    return True
