"""SCRFD (InsightFace): per stride scores [A, 1], distances [A, 4], perhaps landmarks [A, 10]; faces.

Strides 8, 16, 32 with two anchors per cell, or 8 to 128 with one. RGB (x - 127.5) / 128, top left, pad 0. Its outputs
are numbered, so that their shapes tell which is which.

Source: deepinsight/insightface, python-package/insightface/model_zoo/scrfd.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import Doubt, Feed, Recognition
from vigie_devkit.models.signature import Signature

_LEVELS = (((8, 16, 32), 2), ((8, 16, 32, 64, 128), 1))
FEED = Feed("rgb", "top_left", mean=(127.5, 127.5, 127.5), std=(128.0, 128.0, 128.0), pad_value=0)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    for strides, per_cell in _LEVELS:
        if len(signature.outputs) in {2 * len(strides), 3 * len(strides)} and not signature.nhwc:
            yield from _reading(signature, strides, per_cell)


def _reading(signature: Signature, strides: tuple[int, ...], per_cell: int) -> Iterator[Recognition | Doubt]:
    landmarks = len(signature.outputs) == 3 * len(strides)
    found = []
    for width in (1, 4, 10) if landmarks else (1, 4):
        for stride in strides:
            wanted = (per_cell * signature.anchors((stride,)), width)
            ports = [port for port in signature.outputs if port.shape[-2:] == wanted and len(port.shape) in {2, 3}]
            if len(ports) != 1:
                return
            found.append(ports[0])
    scores, sides = found[: len(strides)], found[len(strides) : 2 * len(strides)]
    probed = [signature.probe.get(port.name) for port in (*scores, *sides)]
    values = [value for value in probed if value is not None]
    if len(values) == len(probed):
        shares = all(are_shares(value) for value in values[: len(scores)])
        # Distances to the four sides of a box about its cell are mostly positive.
        outward = np.mean([float((value > 0).mean()) for value in values[len(scores) :]]) > 0.5
        if not shares or not outward:
            yield Doubt(
                "scrfd", f"{len(found)} outputs look like SCRFD's, but hold no scores and distances; pass --card"
            )
            return
    yield Recognition(
        family="scrfd",
        decoder="scrfd",
        params={} if per_cell == 2 else {"strides": list(strides), "per_cell": per_cell},
        feed=FEED,
        outputs=tuple(port.name for port in found),
        class_count=1,
        labels=("face",),
        task="pose" if landmarks else "detection",
        score_min=0.5,
        iou_max=0.4,
        why=f"per stride {', '.join(str(stride) for stride in strides)} scores [A,1], distances [A,4]"
        + (", landmarks [A,10]" if landmarks else ""),
    )
