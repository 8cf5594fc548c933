"""Ultralytics' oriented boxes, by their metadata (task obb); RGB 0..1, centred letterbox, pad 114.

Without metadata [1, 4+C+1, A] is a detector of one class more: then ``--card``, or ``--family oriented --labels FILE``.

Source: ultralytics/ultralytics, engine/exporter.py, nn/modules/head.py ``OBB``, ``OBB26``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.values import are_shares, are_whole, grid_format
from vigie_devkit.models.families.yolov8 import STRIDES
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature

# A quarter of a turn either way and half a turn more: v8 and 11 write -pi/4..3pi/4, 26 whatever training gave.
_ANGLE_MAX = 2 * np.pi


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task == "obb":
        yield from _read(signature, "metadata task 'obb'", vouched=True)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.asked == "oriented":
        yield from _read(signature, "--family", vouched=False)


def _read(signature: Signature, by: str, *, vouched: bool) -> Iterator[Recognition | Doubt]:
    labels = signature.labels
    if len(signature.outputs) != 1 or labels is None:
        yield Doubt("oriented", f"{by}, but it names no classes or has not one output; pass --labels FILE or --card")
        return
    output = signature.outputs[0]
    layout = _layout(signature, output, len(labels))
    if layout is None:
        yield Doubt(
            "oriented",
            f"{by}, but its output {list(output.shape)} is not centre, size, {len(labels)} scores and an angle, nor "
            "centre, size, score, class and angle; pass --card",
        )
        return
    yield Recognition(
        family="oriented",
        decoder="oriented",
        params={"layout": layout},
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=len(labels),
        task="oriented",
        vouched=vouched,
        why=f"{by}, {layout}",
    )


def _layout(signature: Signature, output: Port, classes: int) -> str | None:
    """``raw`` or ``finished``, where shape and values agree."""
    values = signature.probe.get(output.name)
    if len(output.shape) != 3 or values is None:
        return None
    strides = next((one for one in STRIDES if output.shape[2] == signature.anchors(one)), None)
    if strides is not None and output.shape[1] == 4 + classes + 1:
        written = grid_format(values[0, :4].T, signature.input_hw, strides)
        angle = values[0, -1]
        # Angles of a whole grid that all lie in 0..1 are one more class.
        turned = np.isfinite(angle).all() and np.abs(angle).max() <= _ANGLE_MAX and not are_shares(angle)
        return "raw" if written == "cxcywh" and are_shares(values[0, 4:-1]) and turned else None
    if output.shape[2] == 7 and are_shares(values[0, :, 4]) and are_whole(values[0, :, 5]):
        seen = values[0][values[0, :, 4] > 0]
        middle = seen[:, :2] / np.array(signature.input_hw[::-1])
        # Corners would lie right and below of each other, in every row.
        corners = (seen[:, 2:4] > seen[:, :2]).all(axis=1).mean() if len(seen) else 0.0
        inside = ((middle > -0.25) & (middle < 1.25)).all(axis=1).mean() if len(seen) else 1.0
        fits = (
            inside > 0.9
            and corners < 0.9
            and bool((seen[:, 2:4] >= 0).all())
            and bool((np.abs(seen[:, 6]) <= _ANGLE_MAX).all())
        )
        return "finished" if fits else None
    return None
