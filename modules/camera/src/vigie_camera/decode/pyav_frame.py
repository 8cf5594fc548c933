"""A frame of PyAV as planes in a format that is ours, scaled down where asked for: views, no copy."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie.vision.planes import plane_shapes
from vigie_camera.decode.backend import Decoded
from vigie_camera.decode.pixels import converted_to, layout_of, matrix_of, range_of, siting_of


def decoded_of(
    frame: VideoFrame, codec: str, reformatter: VideoReformatter, width_max: int = 0
) -> tuple[Decoded, VideoFrame]:
    """``frame`` in a format that is ours; the second is what the planes are views of, to be kept as long as they.

    ``width_max``: a wider one is scaled down to it, by area; 0: none is.
    """
    time_s = None if frame.time is None else float(frame.time)
    tagged = frame
    layout = layout_of(frame.format.name)
    wanted = frame.format.name if layout is not None else converted_to(frame.format.name)
    small_hw = shrunk_hw((frame.height, frame.width), width_max)
    if small_hw is not None:
        frame = reformatter.reformat(frame, small_hw[1], small_hw[0], format=wanted, interpolation="AREA")
    elif layout is None:
        frame = reformatter.reformat(frame, format=wanted)
    layout = layout or layout_of(frame.format.name) or "bgr"
    size_hw = (frame.height, frame.width)
    if layout == "bgr":
        pixel_format = PixelFormat("bgr", size_hw)
    else:
        matrix = matrix_of(int(tagged.colorspace), (tagged.height, tagged.width))
        value_range = range_of(int(tagged.color_range), tagged.format.name)
        pixel_format = PixelFormat(layout, size_hw, matrix, value_range, siting_of(codec, matrix))
    shapes = plane_shapes(pixel_format)
    arrays = tuple(_view(frame.planes[index], shape) for index, shape in enumerate(shapes))
    return Decoded(pixel_format, arrays, time_s), frame


def shrunk_hw(size_hw: tuple[int, int], width_max: int) -> tuple[int, int] | None:
    """The size of a picture scaled down to ``width_max``, even sides, its shape kept; None: as it is."""
    height, width = size_hw
    if not width_max or width <= width_max:
        return None
    small = width_max & ~1
    return max(2, round(height * small / width / 2) * 2), small


def _view(plane: VideoPlane, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A plane in place: rows may be padded."""
    channels = shape[2] if len(shape) == 3 else 1
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: shape[0], : shape[1] * channels].reshape(shape) if channels == 1 else _interleaved(rows, shape)


def _interleaved(rows: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    height, width, channels = shape
    strides = (rows.strides[0], channels, 1)
    return np.lib.stride_tricks.as_strided(rows, (height, width, channels), strides, writeable=False)
