"""Networks that no decoder reads: refused, by name where their outputs are known, and never taken for another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support import models, strangers
from vigie.errors import ModelUnrecognisedError
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields

made = partial(partial, strangers.outputs_of)
# outputs on a picture of 64x64, how many names are passed, what the refusal says
CASES: dict[str, tuple[Any, int, str]] = {
    "peoplenet": (
        made(**{"output_bbox/BiasAdd": (1, 12, 4, 4), "output_cov/Sigmoid": (1, 3, 4, 4)}),
        3,
        "DetectNet_v2",
    ),
    "yolov5-train": (made(a=(1, 3, 8, 8, 8), b=(1, 3, 4, 4, 8), c=(1, 3, 2, 2, 8)), 3, "raw heads of a YOLO"),
    "yolov4": (made(a=(1, 24, 8, 8), b=(1, 24, 4, 4), c=(1, 24, 2, 2)), 3, "raw heads of a YOLO"),
    "centernet": (made(hm=(1, 3, 16, 16), wh=(1, 2, 16, 16), reg=(1, 2, 16, 16)), 3, "CenterNet"),
    "maskformer": (
        made(class_queries_logits=(1, 20, 4), masks_queries_logits=(1, 20, 16, 16)),
        3,
        "MaskFormer or Mask2Former",
    ),
    "depth-anything": (made(predicted_depth=(1, 64, 64)), 1, "a depth network"),
    "blazeface": (made(regressors=(1, 896, 16), classificators=(1, 896, 1)), 1, "MediaPipe"),
    "sam-decoder": (made(iou_predictions=(1, 4), low_res_masks=(1, 4, 16, 16)), 1, "Segment Anything"),
    "clip": (made(image_embeds=(1, 512), text_embeds=(1, 512)), 1, "the picture's half alone"),
    "hrnet": (made(output=(1, 17, 16, 16)), 17, "heat maps of key points"),
    "simcc": (made(simcc_x=(1, 17, 128), simcc_y=(1, 17, 128)), 17, "no family has outputs"),
    "super-resolution": (made(output=(1, 3, 128, 128)), 3, "no family has outputs"),
    "text-detection": (made(sigmoid_0=(1, 1, 64, 64)), 1, "a matte or another picture"),
    "text-reading": (made(softmax=(1, 16, 97)), 97, "--"),
    "u2net": (made(**{f"d{at}": (1, 1, 64, 64) for at in range(7)}), 1, "no family has outputs"),
    "optical-flow": (made(flow=(1, 2, 64, 64)), 2, "another picture"),
    "features": (made(last_hidden_state=(1, 17, 192)), 192, "--"),
    "age-gender": (made(age=(1, 1), gender=(1, 2)), 2, "no family has outputs"),
    "landmarks-68": (made(landmarks=(1, 136)), 1, "--"),
    "rows-of-15": (made(faces=(1, 20, 15)), 1, "--"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_says_what_it_is(tmp_path: Path, case: str) -> None:
    build, count, says = CASES[case]
    file = models.save(build(), tmp_path)
    for labels in (None, [f"n{at}" for at in range(count)]):
        with pytest.raises(ModelUnrecognisedError, match="--") as refused:
            import_model(file, tmp_path / "bundle", labels=labels, feed=input_fields("rgb/0..1"))
        if labels is not None:
            assert says in str(refused.value)
