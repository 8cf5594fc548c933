"""FFmpeg's pixel formats and colour tags as ours: what is kept, what is converted, what is assumed. Pure."""

from __future__ import annotations

from vigie.contracts.pixels import Layout, Matrix, Range, Siting

# As they are: 8-bit planes.
_KEPT: dict[str, Layout] = {
    "yuv420p": "i420",
    "yuvj420p": "i420",
    "yuv422p": "i422",
    "yuvj422p": "i422",
    "yuv444p": "i444",
    "yuvj444p": "i444",
    "nv12": "nv12",
    "gray": "gray",
    # The fourth plane is transparency, which no camera means.
    "yuva420p": "i420",
    "yuva422p": "i422",
    "yuva444p": "i444",
}
_DEEP = ("9", "10", "12", "14", "16")
# Rare subsamplings go to the nearest that keeps their chroma.
_RARE = {
    "yuv410p": "yuv420p",
    "yuv411p": "yuv422p",
    "yuvj411p": "yuv422p",
    "yuv440p": "yuv444p",
    "yuvj440p": "yuv444p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "monow": "gray",
    "monob": "gray",
}
# AVColorSpace (ISO/IEC 23091-2 MatrixCoefficients).
_MATRICES: dict[int, Matrix] = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020"}
_FULL = 2  # AVCOL_RANGE_JPEG
# Codecs that place chroma as JPEG and MPEG-1 do.
_CENTRED = ("mjpeg", "mpeg1video", "h263", "vp8")
_HD_WIDTH, _SD_HEIGHT = 1280, 576


def layout_of(pix_fmt: str) -> Layout | None:
    """The layout of planes that can be taken as they are; None: see ``converted_to``."""
    return _KEPT.get(pix_fmt)


def converted_to(pix_fmt: str) -> str:
    """FFmpeg's name of the 8-bit format that a frame of ``pix_fmt`` is converted to: its own subsampling, else BGR."""
    if pix_fmt in _RARE:
        return _RARE[pix_fmt]
    name = pix_fmt.removesuffix("le").removesuffix("be")
    for bits in _DEEP:
        base = name.removesuffix(bits)
        if base != name:
            base = base.replace("yuva", "yuv")
            if base in ("yuv420p", "yuv422p", "yuv444p", "gray"):
                return base
            if base in ("p0", "p4", "p2") or name in ("p010", "p012", "p016"):
                return {"p2": "yuv422p", "p4": "yuv444p"}.get(base, "yuv420p")
    return "bgr24"


def matrix_of(colorspace: int, size_hw: tuple[int, int]) -> Matrix:
    """By the stream's tag; untagged pictures of HD size are BT.709, smaller ones BT.601, as players assume."""
    tagged = _MATRICES.get(colorspace)
    if tagged is not None:
        return tagged
    height, width = size_hw
    return "bt709" if width >= _HD_WIDTH or height > _SD_HEIGHT else "bt601"


def range_of(color_range: int, pix_fmt: str) -> Range:
    """By the stream's tag, or by FFmpeg's own rule for formats that mean JPEG and for gray."""
    if color_range == _FULL or pix_fmt.startswith("yuvj") or (color_range == 0 and pix_fmt.startswith("gray")):
        return "full"
    return "limited"


def siting_of(codec: str, matrix: Matrix) -> Siting:
    """By the codec's default: PyAV 18 does not show the stream's own tag."""
    if codec in _CENTRED:
        return "centre"
    return "top_left" if matrix == "bt2020" else "left"
