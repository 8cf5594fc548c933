"""Are these frames fit to take ranges from? What is wrong with them is said before an hour is spent on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vigie.errors import CalibrationError
from vigie.models import Card
from vigie_devkit.quantize.samples import TensorSample

FRAMES_MIN = 8
FRAMES_ADVISED = 32
# Grey levels: a lens cap, fog, a test picture of one colour.
BLANK_DEVIATION = 3.0
# A frame this much smaller than the input is mostly interpolation: its ranges are those of a blurred picture.
SMALL_SHARE = 0.5


def check_calibration(source: str, samples: Sequence[TensorSample], card: Card) -> list[str]:
    """Warnings in whole sentences; an empty list: nothing to say.

    Raises: CalibrationError: too few frames, or too few that show anything or differ from each other.
    """
    if len(samples) < FRAMES_MIN:
        raise CalibrationError(
            source, f"has {len(samples)} frame(s), {FRAMES_MIN} are needed and {FRAMES_ADVISED} or more advised"
        )
    blank = [sample for sample in samples if _is_blank(sample)]
    if len(blank) > len(samples) // 2:
        raise CalibrationError(
            source,
            f"{len(blank)} of {len(samples)} frames are blank (one colour), such as {blank[0].name}; "
            "ranges taken from them clip everything real: pass frames that show what the camera will see",
        )
    distinct = len({hashlib.sha256(sample.tensor_hwc.tobytes()).digest() for sample in samples})
    if distinct < FRAMES_MIN:
        raise CalibrationError(
            source, f"only {distinct} of {len(samples)} frames differ from each other, {FRAMES_MIN} are needed"
        )
    warnings = []
    if blank:
        warnings.append(f"{source}: {len(blank)} of {len(samples)} frames are blank; they were left out")
    if distinct < len(samples):
        warnings.append(f"{source}: {len(samples) - distinct} of {len(samples)} frames are copies of others")
    if len(samples) < FRAMES_ADVISED:
        warnings.append(f"{source}: {len(samples)} frames are few; {FRAMES_ADVISED} or more are advised")
    size_hw = card.input.height, card.input.width
    small = [
        sample
        for sample in samples
        if sample.frame_hw[0] < size_hw[0] * SMALL_SHARE and sample.frame_hw[1] < size_hw[1] * SMALL_SHARE
    ]
    if small:
        height, width = small[0].frame_hw
        warnings.append(
            f"{source}: {len(small)} of {len(samples)} frames are far smaller than the input of "
            f"{size_hw[1]}x{size_hw[0]} ({small[0].name} has {width}x{height}): wrong size?"
        )
    return warnings


def without_blank(samples: Sequence[TensorSample]) -> list[TensorSample]:
    return [sample for sample in samples if not _is_blank(sample)]


def _is_blank(sample: TensorSample) -> bool:
    """Judged inside the frame: the padding of another colour is no content."""
    left, top = int(sample.transform.pad_x), int(sample.transform.pad_y)
    height = max(1, round(sample.frame_hw[0] * sample.transform.scale_y))
    width = max(1, round(sample.frame_hw[1] * sample.transform.scale_x))
    inside = sample.tensor_hwc[top : top + height, left : left + width]
    return float(inside.reshape(-1, 3).std(axis=0).max()) < BLANK_DEVIATION
