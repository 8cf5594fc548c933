"""Ultralytics' pose models, by their metadata (task, kpt_shape); RGB 0..1, centred letterbox, pad 114.

Without metadata a pose of one class and 17 points is [1, 56, A], as a detector of 52 classes is: then ``--card``.

Source: ultralytics/ultralytics, engine/exporter.py (metadata kpt_shape), nn/modules/head.py ``Pose``, ``Pose26``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares, are_whole, finished_format, grid_format
from vigie_devkit.models.families.yolov8 import STRIDES
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature, read_literal


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task != "pose":
        return
    shape, labels = read_literal(signature.metadata.get("kpt_shape", "")), signature.labels
    if len(signature.outputs) != 1:
        yield Doubt(
            "pose",
            f"its metadata say task 'pose', but it has {len(signature.outputs)} outputs where a whole export has one: "
            "boxes and key points have yet to be computed from them; export it with its head, or pass --card",
        )
        return
    if (
        labels is None
        or not isinstance(shape, list | tuple)
        or len(shape) != 2
        or not all(isinstance(side, int) for side in shape)
    ):
        yield Doubt("pose", "its metadata say task 'pose', but not how many key points (kpt_shape); pass --card")
        return
    output, (points, dims) = signature.outputs[0], shape
    layout = layout_of(signature, output, len(labels), points * dims)
    if layout is None:
        yield Doubt(
            "pose",
            f"its metadata say task 'pose' with {points}x{dims} key points, but its output is not so; pass --card",
        )
        return
    yield Recognition(
        family="pose",
        decoder="pose",
        params={"points": points, "dims": dims, "layout": layout},
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=len(labels),
        task="pose",
        vouched=True,
        why=f"metadata task 'pose', {points} key points of {dims} numbers, {layout}",
    )


def layout_of(signature: Signature, output: Port, classes: int, extra: int) -> str | None:
    """``raw`` or ``finished``, where shape and values agree."""
    values = signature.probe.get(output.name)
    if len(output.shape) != 3 or values is None:
        return None
    strides = next((one for one in STRIDES if output.shape[2] == signature.anchors(one)), None)
    if strides is not None and output.shape[1] == 4 + classes + extra:
        written = grid_format(values[0, :4].T, signature.input_hw, strides)
        return "raw" if written == "cxcywh" and are_shares(values[0, 4 : 4 + classes]) else None
    if output.shape[2] == 6 + extra and are_shares(values[0, :, 4]) and are_whole(values[0, :, 5]):
        seen = values[0][values[0, :, 4] > 0]
        fits = not len(seen) or finished_format(seen[:, :4], signature.input_hw) == "xyxy"
        return "finished" if fits else None
    return None
