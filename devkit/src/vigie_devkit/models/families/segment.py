"""Ultralytics' instance segmentation, by its metadata (task segment): boxes with coefficients, and prototypes.

RGB 0..1, centred letterbox, pad 114. The number of coefficients is that of the prototypes.

Source: ultralytics/ultralytics, engine/exporter.py, nn/modules/head.py ``Segment``, ``Segment26``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.families.pose import layout_of
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Signature


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task != "segment":
        return
    tables = [port for port in signature.outputs if len(port.shape) == 3]
    prototypes = [port for port in signature.outputs if len(port.shape) == 4]
    if len(tables) != 1 or len(prototypes) != 1 or signature.labels is None:
        yield Doubt("segment", "its metadata say task 'segment', but it has no one table and prototypes; pass --card")
        return
    kinds = prototypes[0].shape[1]
    layout = layout_of(signature, tables[0], len(signature.labels), kinds)
    if layout is None:
        yield Doubt(
            "segment",
            f"its metadata say task 'segment' with {kinds} prototypes, but its table is not so; pass --card",
        )
        return
    yield Recognition(
        family="segment",
        decoder="segment",
        params={"layout": layout},
        feed=UNIT_RGB,
        outputs=(tables[0].name, prototypes[0].name),
        class_count=len(signature.labels),
        task="segmentation",
        vouched=True,
        why=f"metadata task 'segment', {kinds} prototypes, {layout}",
    )
