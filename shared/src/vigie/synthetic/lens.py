"""What the camera does to a scene: uneven light, smear of the moving belt, focus, gain, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.canvas import triangle_wave
from vigie.synthetic.randomness import Dice, hash_index

_BAND_ROWS: Final = 128  # noise is cut from a small tile, band by band: a full-size one would cost megabytes at 1080p
_BAND_SPARE: Final = 64
_EXPOSURE_STEPS: Final = 32


@dataclass(frozen=True, slots=True)
class Optics:
    """``motion_px``: width of the box that the moving belt is smeared over; ``defocus_px``: of the one focus adds
    (both odd, 1 = none); ``noise``: deviation of the sensor noise in grey levels.
    """

    motion_px: int = 1
    defocus_px: int = 1
    noise: float = 3.0


class Lens:
    """Turns a clean frame into a camera's, in place."""

    def __init__(self, dice: Dice, size_wh: tuple[int, int], optics: Optics) -> None:
        """Draw the light's fall-off, the noise and how exposure wanders."""
        self.optics = optics
        self._seed = dice.whole(0, 2**31)
        self._gain_map = _gain_map(dice, size_wh)
        self._more, self._less = _noise_tiles(dice, size_wh[0], optics.noise)
        span = dice.uniform(0.01, 0.05)
        self._exposure = [
            _exposure_table(1 - span + 2 * span * step / (_EXPOSURE_STEPS - 1)) for step in range(_EXPOSURE_STEPS)
        ]
        self._period = dice.whole(150, 400)

    def expose(self, frame_bgr: NDArray[np.uint8], index: int) -> None:
        """Apply everything to ``frame_bgr`` (H, W, 3) uint8; ``index`` decides noise and exposure."""
        cv2.multiply(frame_bgr, self._gain_map, dst=frame_bgr, scale=1 / 128)
        if self.optics.motion_px > 1:
            cv2.blur(frame_bgr, (self.optics.motion_px, 1), dst=frame_bgr)
        if self.optics.defocus_px > 1:
            self._defocus(frame_bgr)
        swing = abs(2 * ((index % self._period) / self._period) - 1)
        cv2.LUT(frame_bgr, self._exposure[int(swing * (_EXPOSURE_STEPS - 1))], dst=frame_bgr)
        self._add_noise(frame_bgr, index)

    def _defocus(self, frame_bgr: NDArray[np.uint8]) -> None:
        size = self.optics.defocus_px
        if size <= 5:
            cv2.GaussianBlur(frame_bgr, (size, size), 0, dst=frame_bgr)
            return
        # Two boxes come close to a lens's disc and stay whole-number arithmetic.
        for _ in range(2):
            cv2.blur(frame_bgr, (size // 2 | 1, size // 2 | 1), dst=frame_bgr)

    def _add_noise(self, frame_bgr: NDArray[np.uint8], index: int) -> None:
        height, width = frame_bgr.shape[:2]
        bits = hash_index(self._seed, index)
        for top in range(0, height, _BAND_ROWS):
            rows = min(_BAND_ROWS, height - top)
            y, x = bits % _BAND_SPARE, (bits >> 8) % _BAND_SPARE
            bits = hash_index(bits & 0xFFFFFFFF, top)
            band = frame_bgr[top : top + rows]
            cv2.add(band, self._more[y : y + rows, x : x + width], dst=band)
            cv2.subtract(band, self._less[y : y + rows, x : x + width], dst=band)


def _gain_map(dice: Dice, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, 128 = as it is: slope, vignette, a lamp's pool of light, sometimes bars of shadow."""
    width, height = size_wh
    x = (np.arange(width, dtype=np.float32) / np.float32(width / 2) - np.float32(1))[None, :]
    y = (np.arange(height, dtype=np.float32) / np.float32(height / 2) - np.float32(1))[:, None]
    gain = np.float32(dice.uniform(0.88, 1.12)) + x * np.float32(dice.uniform(-0.16, 0.16))
    gain = gain + y * np.float32(dice.uniform(-0.12, 0.12)) - (x * x + y * y) * np.float32(dice.uniform(0.03, 0.12))
    pool_x, pool_y = x - np.float32(dice.uniform(-0.7, 0.7)), y - np.float32(dice.uniform(-0.5, 0.5))
    reach = np.float32(dice.uniform(0.5, 1.0))
    pool = np.maximum(np.float32(1) - (pool_x * pool_x + pool_y * pool_y) / (reach * reach), 0)
    gain = gain + pool * pool * np.float32(dice.uniform(0.05, 0.28))
    if dice.chance(0.4):
        slant, pitch = np.float32(dice.uniform(-0.6, 0.6)), np.float32(dice.uniform(0.7, 1.4))
        bars = np.clip((triangle_wave((x + y * slant) / pitch + np.float32(dice.uniform(0, 1))) - 0.6) * 8, 0, 1)
        gain = gain * (np.float32(1) - bars * np.float32(dice.uniform(0.12, 0.35)))
    plane = np.clip(gain * np.float32(128), 30, 230).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(plane[..., None], 3, axis=2))


def _noise_tiles(dice: Dice, width: int, deviation: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What to add and what to take away: mostly grey noise, some of it coloured."""
    rows, columns = _BAND_ROWS + _BAND_SPARE, width + _BAND_SPARE
    grey = dice.bell((rows, columns, 1)) * np.float32(deviation * 0.8)
    noise = np.floor(grey + dice.bell((rows, columns, 3)) * np.float32(deviation * 0.6) + np.float32(0.5))
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


def _exposure_table(gain: float) -> NDArray[np.uint8]:
    levels = np.arange(256, dtype=np.float64)
    return np.clip(np.floor(levels * gain + 0.5), 0, 255).astype(np.uint8)
