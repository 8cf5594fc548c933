"""Pictures of the synthetic conveyor as JPEG, for a camera that is served over HTTP."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.synthetic import open_scene

COUNT = 48


def conveyor_pictures(seed: int = 3, count: int = COUNT) -> list[bytes]:
    """JPEG files of a belt that moves, a second of which is followed by the next."""
    scene = open_scene(f"synthetic://conveyor?seed={seed}&fps=8")
    return [jpeg(scene.render(number)) for number in range(count)]


def jpeg(picture_bgr: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", picture_bgr)
    if not done:
        raise ValueError("the picture cannot be encoded as JPEG")
    return data.tobytes()
