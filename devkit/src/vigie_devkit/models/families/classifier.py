"""Classifiers: one output [1, C]. Ultralytics' want RGB 0..1, others ImageNet's mean and std; the frame is stretched.

Source: ultralytics/ultralytics, models/yolo/classify; torchvision.models classification recipes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.recognition import IMAGENET_RGB_STRETCH, UNIT_RGB_STRETCH, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature


def by_metadata(signature: Signature) -> Iterator[Recognition]:
    if signature.task == "classify" and (output := _scores(signature)) is not None:
        yield _reading(signature, output, UNIT_RGB_STRETCH, "metadata task 'classify'")


def by_shape(signature: Signature) -> Iterator[Recognition]:
    if (output := _scores(signature)) is not None and len(signature.inputs) == 1:
        yield _reading(signature, output, IMAGENET_RGB_STRETCH, "ImageNet's mean and std by convention")


def _scores(signature: Signature) -> Port | None:
    if len(signature.outputs) != 1:
        return None
    output = signature.outputs[0]
    flat = len(output.shape) == 2 or (len(output.shape) == 4 and output.shape[2:] == (1, 1))
    if not flat or output.shape[0] != 1 or output.shape[1] < 2 or signature.label_count not in {None, output.shape[1]}:
        return None
    return output


def _reading(signature: Signature, output: Port, feed: Feed, why: str) -> Recognition:
    values = signature.probe.get(output.name)
    # Probabilities add up to 1 and lie in 0..1; logits of a real picture do neither.
    probabilities = values is not None and bool(abs(float(values.sum()) - 1) < 1e-3 and np.all(values >= 0))
    return Recognition(
        family="classifier",
        decoder="classifier",
        params={} if probabilities else {"softmax": True},
        feed=feed,
        outputs=(output.name,),
        class_count=output.shape[1],
        task="classification",
        score_min=0.0,
        why=f"{why}, one output [1,{output.shape[1]}] of {'probabilities' if probabilities else 'logits'}",
    )
