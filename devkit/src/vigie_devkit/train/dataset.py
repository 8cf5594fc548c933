"""Pictures with truth, fitted to the network's input: rendered, or from a user's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigie.errors import DatasetError
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.accuracy.average_precision import FrameTruth

PAD_VALUE = 114


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture and its truth, in its own pixels: ``boxes_xyxy`` (N, 4), ``class_ids`` (N,), ``ignore`` (N,)."""

    frame_bgr: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    ignore: NDArray[np.bool_]

    def truth(self) -> FrameTruth:
        """What a judge of detections wants of it."""
        return FrameTruth(self.boxes_xyxy, self.class_ids, self.ignore)


@dataclass(frozen=True, slots=True)
class Dataset:
    """``images`` (N, H, W, 3) uint8 BGR, letterboxed to the top left; per image boxes in its pixels, as in
    LabelledPicture.
    """

    images: NDArray[np.uint8]
    boxes_xyxy: list[NDArray[np.float32]]
    class_ids: list[NDArray[np.int64]]
    ignore: list[NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.images)


def collect(pictures: Iterable[LabelledPicture], count: int, size_hw: tuple[int, int]) -> Dataset:
    """Fit ``count`` pictures; what is shorter than a pixel or two after fitting is ignored, not taught.

    Raises: ValueError: there are fewer pictures than ``count``.
    """
    images = np.empty((count, *size_hw, 3), np.uint8)
    boxes: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    ignore: list[NDArray[np.bool_]] = []
    for picture in pictures:
        transform = letterbox_into(picture.frame_bgr, images[len(boxes)], align="top_left", pad_value=PAD_VALUE)
        fitted = transform.to_tensor(picture.boxes_xyxy.astype(np.float32).reshape(-1, 4))
        sides = fitted[:, 2:] - fitted[:, :2]
        boxes.append(fitted)
        labels.append(picture.class_ids)
        ignore.append(picture.ignore | (sides.min(axis=1) < 2.0))
        if len(boxes) == count:
            return Dataset(images, boxes, labels, ignore)
    raise ValueError(f"expected {count} pictures, got {len(boxes)}")


def check_memory(what: str, count: int, size_hw: tuple[int, int], meminfo: Path = Path("/proc/meminfo")) -> None:
    """Say before the work begins that the pictures will not fit, rather than be killed in its middle.

    Raises: DatasetError: ``count`` fitted pictures are larger than the memory that is free.
    """
    needed_mib = count * size_hw[0] * size_hw[1] * 3 >> 20
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    free_mib = int(found[1]) >> 10 if found else needed_mib
    if needed_mib > free_mib:
        raise DatasetError(
            what,
            f"{count} pictures of {size_hw[0]}x{size_hw[1]} need {needed_mib} MiB, {free_mib} are free; "
            "pass a smaller --size or take fewer",
        )
