"""A page without a browser: pictures of a running system, each with what was seen in that very frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import aiohttp
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection
from vigie_devkit.local.errors import LocalError

_RETRY_S = 0.1
_MESSAGE_BYTES_MAX = 64 << 20


class PageError(LocalError):
    """The page cannot be asked for pictures."""


class PictureHead(msgspec.Struct, frozen=True):
    """What goes before the JPEG. ``boxes`` None: nobody looked for objects in this frame."""

    camera: str
    seq: int
    at: str
    hw: tuple[int, int]
    boxes: list[list[Any]] | None


class PagePicture(msgspec.Struct, frozen=True):
    """``frame_hw``: of the frame, in whose pixels the detections are; ``jpeg`` may be smaller."""

    camera: str
    seq: int
    captured_at: datetime
    frame_hw: tuple[int, int]
    detections: list[Detection] | None
    jpeg: bytes

    def frame_bgr(self) -> NDArray[np.uint8]:
        """(H, W, 3). Raises: PageError: it is not a picture."""
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            raise PageError(f"the picture {self.seq} of '{self.camera}' cannot be decoded")
        return np.asarray(decoded, np.uint8)


async def page_pictures(
    address: str, cameras: Iterable[str], *, width: int, fps: float, wait_s: float
) -> AsyncIterator[PagePicture]:
    """Pictures of ``cameras`` as they come, until the page ends. The next one is asked for when one has been taken.

    Args: address: ``http(s)://host:port``. width: of a picture at most. fps: of a camera at most. wait_s: for the page
        to be served.
    Raises: PageError: it is not served in time, or asks for a token.
    """
    wants = {camera: {"width": width, "fps": fps} for camera in cameras}
    async with aiohttp.ClientSession() as session, await _connected(session, address, wait_s) as socket:
        await socket.send_json({"look": wants})
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            picture = read_picture(message.data)
            if picture.camera in wants:
                yield picture
                await socket.send_json({"drawn": picture.camera})


async def _connected(session: aiohttp.ClientSession, address: str, wait_s: float) -> aiohttp.ClientWebSocketResponse:
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            return await session.ws_connect(f"{address}/live", max_msg_size=_MESSAGE_BYTES_MAX)
        except aiohttp.WSServerHandshakeError as error:
            why = "it asks for a token" if error.status == 401 else f"it answered {error.status}"
            raise PageError(f"the page {address} gives no pictures: {why}") from error
        except aiohttp.ClientError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise PageError(f"the page {address} does not answer: {error}") from error
        await asyncio.sleep(_RETRY_S)


def read_picture(message: bytes) -> PagePicture:
    """One binary message of the page: 4 bytes length, JSON, JPEG. Raises: PageError: it is not that."""
    length = int.from_bytes(message[:4], "big")
    try:
        head = msgspec.json.decode(message[4 : 4 + length], type=PictureHead)
        found = None if head.boxes is None else [_detection(box) for box in head.boxes]
        captured_at = datetime.fromisoformat(head.at)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise PageError(f"a picture of the page cannot be read: {error}") from error
    return PagePicture(head.camera, head.seq, captured_at, head.hw, found, message[4 + length :])


def _detection(box: list[Any]) -> Detection:
    """Label, class, score, four sides, track; then key points, the mask's grid, a turned box, where there are any."""
    tree: dict[str, Any] = {"label": box[0], "class_id": box[1], "score": box[2], "box_xyxy": box[3:7], "track": box[7]}
    if len(box) > 8:
        tree["keypoints"] = box[8] or []
        if box[9] is not None:
            tree["mask"] = {"size_hw": box[9][:2], "runs": box[9][2]}
    if len(box) > 10:
        x, y, width, height, degrees = box[10]
        tree["oriented"] = {"centre_xy": [x, y], "size_wh": [width, height], "angle_degrees": degrees}
    return msgspec.convert(tree, Detection)
