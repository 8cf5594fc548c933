"""A snapshot of a camera with blurred classes waits for inference, and is blurred whole where that says nothing."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from support.camera_module import CameraModule, camera_module, until
from support.modules import Sender
from vigie.contracts import names
from vigie.contracts.blur import BlurAnswer

# A square that a still scene shows: where the class is.
SQUARE = (100.0, 60.0, 180.0, 140.0)
SIZE_WH = (320, 240)


def fine_square(folder: Path) -> dict[str, Any]:
    """A folder of one picture: grey, with a square of fine black and white stripes."""
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 120, np.uint8)
    left, top, right, bottom = (int(side) for side in SQUARE)
    picture[top:bottom, left:right] = np.where(np.arange(right - left) // 2 % 2, 255, 0)[None, :, None]
    (folder / "pictures").mkdir()
    cv2.imwrite(str(folder / "pictures/one.png"), picture)
    return {"source": str(folder / "pictures"), "interval_s": 0.05, "loop": True, "pace": "realtime"}


async def picture_of(module: CameraModule) -> tuple[np.ndarray, str]:
    status, reply = await module.invoke("snapshot", {"camera": "dock", "width": SIZE_WH[0]})
    assert status == 200, reply
    jpeg = np.frombuffer(base64.b64decode(reply["jpeg"]), np.uint8)
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)), reply["blurred"]


def contrast(picture: np.ndarray) -> int:
    left, top, right, bottom = (int(side) for side in SQUARE)
    part = picture[top:bottom, left:right].astype(int)
    return int(np.abs(np.diff(part, axis=1)).max())


async def answer(module: CameraModule, boxes: tuple[tuple[float, float, float, float], ...] | None) -> None:
    """Play inference: answer every frame that asks, once."""
    sender = Sender(module.hub, names.INFERENCE, names.BLUR, "vigie.blur/1")
    answered: set[str] = set()
    while True:
        for item in list(module.consumer.items):
            if item.blur is not None and item.blur.asked and item.trace not in answered:
                answered.add(item.trace)
                sender.send(BlurAnswer(item.camera, item.seq, item.trace, boxes))
        await asyncio.sleep(0.01)


async def test_pixels_of_a_blurred_class_are_in_no_snapshot(tmp_path: Path) -> None:
    source = fine_square(tmp_path)
    async with camera_module(tmp_path) as module:
        module.set(dock=source)
        await until(lambda: module.consumer.of("dock"), "frames")
        plain, how = await picture_of(module)
        assert (how, contrast(plain) > 150) == ("none", True), "the test would prove nothing"

        module.set(dock={**source, "blur": ["person"]})
        await until(lambda: module.state("dock").get("blur") == ["person"], "reported")
        await until(lambda: module.consumer.items[-1].blur is not None, "frames that ask")
        assert module.consumer.items[-1].blur.labels == ("person",)
        assert not module.consumer.items[-1].blur.asked, "nobody waits for a picture"

        inference = asyncio.create_task(answer(module, (SQUARE,)))
        classes, how = await picture_of(module)
        inference.cancel()
        assert how == "classes"
        assert contrast(classes) < 60
        assert abs(int(classes[10, 10]) - 120) < 5
        assert abs(int(classes[220, 300]) - 120) < 5

        inference = asyncio.create_task(answer(module, None))
        unknown, how = await picture_of(module)
        inference.cancel()
        assert (how, contrast(unknown) < 60) == ("everything", True)

        silent, how = await picture_of(module)
        assert (how, contrast(silent) < 60) == ("everything", True)


async def test_clips_and_blur_are_refused_together(tmp_path: Path) -> None:
    source = fine_square(tmp_path)
    async with camera_module(tmp_path) as module:
        version = module.set(dock={**source, "blur": ["person"], "clips": {}})
        told = await until(
            lambda: found if (found := module.acknowledgement()).get("av") == version else None, "acknowledged"
        )
        assert told["ac"] == 400
        assert "$.cameras.dock.clips: this camera has classes blurred" in told["ad"]
