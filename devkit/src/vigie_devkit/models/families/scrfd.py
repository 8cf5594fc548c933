"""SCRFD (InsightFace): per stride 8, 16, 32 scores [A, 1], distances [A, 4], perhaps landmarks [A, 10]; faces.

RGB (x - 127.5) / 128, top left, pad 0. Its outputs are numbered, so that their shapes tell which is which.

Source: deepinsight/insightface, python-package/insightface/model_zoo/scrfd.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import Doubt, Feed, Recognition
from vigie_devkit.models.signature import Signature

STRIDES, PER_CELL = (8, 16, 32), 2
FEED = Feed("rgb", "top_left", mean=(127.5, 127.5, 127.5), std=(128.0, 128.0, 128.0), pad_value=0)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) not in {6, 9} or signature.nhwc:
        return
    found = []
    landmarks = len(signature.outputs) == 9
    for width in (1, 4, 10) if landmarks else (1, 4):
        for stride in STRIDES:
            wanted = (PER_CELL * signature.anchors((stride,)), width)
            ports = [port for port in signature.outputs if port.shape[-2:] == wanted and len(port.shape) in {2, 3}]
            if len(ports) != 1:
                return
            found.append(ports[0])
    scores, sides = found[: len(STRIDES)], found[len(STRIDES) : 2 * len(STRIDES)]
    probed = [signature.probe.get(port.name) for port in (*scores, *sides)]
    values = [value for value in probed if value is not None]
    if len(values) == len(probed):
        shares = all(are_shares(value) for value in values[: len(scores)])
        # Distances to the four sides of a box about its cell are mostly positive.
        outward = np.mean([float((value > 0).mean()) for value in values[len(scores) :]]) > 0.5
        if not shares or not outward:
            yield Doubt("scrfd", "six or nine outputs look like SCRFD's, but hold no scores and distances; pass --card")
            return
    yield Recognition(
        family="scrfd",
        decoder="scrfd",
        feed=FEED,
        outputs=tuple(port.name for port in found),
        class_count=1,
        labels=("face",),
        task="pose" if landmarks else "detection",
        score_min=0.5,
        iou_max=0.4,
        why=f"per stride {', '.join(str(stride) for stride in STRIDES)} scores [A,1], distances [A,4]"
        + (", landmarks [A,10]" if landmarks else ""),
    )
