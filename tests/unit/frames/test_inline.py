from __future__ import annotations

import base64
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from vigie.contracts.envelope import FRAMES, MESSAGE_LIMIT_BYTES, Envelope
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import InlineJpeg
from vigie.errors import FrameTooLargeError, MessageRefusedError
from vigie.frames.inline import decode_inline, encode_inline, jpeg_size_hw


def noise(hw: tuple[int, int], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


def gradient(hw: tuple[int, int]) -> np.ndarray:
    rows, columns = np.mgrid[0 : hw[0], 0 : hw[1]]
    return np.dstack([rows * 255 // hw[0], columns * 255 // hw[1], np.full(hw, 90)]).astype(np.uint8)


def message(inline: InlineJpeg) -> bytes:
    """The largest envelope that a frame travels in: names at their limit."""
    item = FrameItem(
        camera="c" * 120,
        seq=2**53,
        trace="c" * 140,
        captured_at="2030-12-31T23:59:59.999999Z",
        captured_ns=2**63 - 1,
        frame_hw=(16_384, 16_384),
        pixels=inline,
        keep=True,
    )
    return msgspec.json.encode(Envelope(str(FRAMES), "camera", "ffffffff", 2**53, [item]))


@pytest.mark.parametrize("hw", [(1080, 1920), (2160, 3840), (480, 640), (2000, 40)], ids=str)
@pytest.mark.parametrize("limit", [MESSAGE_LIMIT_BYTES, 40_000])
def test_even_noise_fits_the_message(hw: tuple[int, int], limit: Any) -> None:
    inline = encode_inline(noise(hw), limit)
    properties = 512  # content type and encoding, message id, routing properties: keys and values
    assert len(message(inline)) + properties <= limit
    assert decode_inline(inline).shape == inline.shape
    assert inline.source_hw == hw


def test_a_plain_frame_keeps_its_size_and_its_look() -> None:
    frame = gradient((720, 1280))
    inline = encode_inline(frame, MESSAGE_LIMIT_BYTES)
    assert inline.shape == frame.shape
    # 4:2:0 chroma and quality 85 on a smooth picture: a few levels.
    assert np.abs(decode_inline(inline).astype(int) - frame).mean() < 3


def test_a_frame_scaled_down_keeps_its_aspect_ratio() -> None:
    inline = encode_inline(noise((1080, 1920)), 60_000)
    height, width, _ = inline.shape
    assert (height, width) < (1080, 1920)
    assert width / height == pytest.approx(1920 / 1080, rel=0.01)


@pytest.mark.parametrize("limit", [0, 2_048, 2_200])
def test_a_limit_that_holds_no_picture_is_refused(limit: int) -> None:
    with pytest.raises(FrameTooLargeError, match="scale the frame down"):
        encode_inline(noise((480, 640)), limit)


def test_the_picture_travels_in_json_as_base64() -> None:
    inline = encode_inline(gradient((48, 64)))
    wire = msgspec.json.decode(msgspec.json.encode(inline))
    assert base64.b64decode(wire["jpeg"]) == inline.jpeg
    assert msgspec.json.decode(msgspec.json.encode(inline), type=InlineJpeg) == inline


@pytest.mark.parametrize(
    "marker", [[], [int(cv2.IMWRITE_JPEG_PROGRESSIVE), 1], [int(cv2.IMWRITE_JPEG_RST_INTERVAL), 2]]
)
def test_the_size_is_read_from_any_kind_of_jpeg(marker: Any) -> None:
    jpeg = cv2.imencode(".jpg", gradient((37, 53)), marker)[1].tobytes()
    assert jpeg_size_hw(jpeg) == (37, 53)


@pytest.mark.parametrize("cut", [0, 1, 2, 20, 200])
def test_what_is_no_jpeg_or_a_cut_one_is_refused_with_its_path(cut: int) -> None:
    inline = encode_inline(gradient((48, 64)))
    broken = InlineJpeg(inline.jpeg[:cut], inline.shape, inline.source_hw)
    with pytest.raises(MessageRefusedError) as caught:
        decode_inline(broken)
    assert caught.value.subject == "$.pixels.jpeg"


def test_a_small_file_that_claims_a_huge_picture_is_refused_before_decoding() -> None:
    inline = encode_inline(gradient((48, 64)))
    at = inline.jpeg.index(b"\xff\xc0") + 5
    bomb = inline.jpeg[:at] + b"\xff\xff\xff\xff" + inline.jpeg[at + 4 :]
    for shape in ((48, 64, 3), (65_535, 65_535, 3)):
        with pytest.raises(MessageRefusedError):
            decode_inline(InlineJpeg(bomb, shape, (48, 64)))
