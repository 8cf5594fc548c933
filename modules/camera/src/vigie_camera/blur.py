"""What inference says of frames that a snapshot waits for."""

from __future__ import annotations

import threading

from vigie.contracts import names
from vigie.contracts.blur import BlurAnswer
from vigie.service import Service
from vigie_camera.cameras import Cameras
from vigie_camera.config import CameraConfig

_POLL_S = 0.5


def take_blur(service: Service[CameraConfig], cameras: Cameras) -> None:
    """Hand answers to the cameras that asked, on a thread of its own; before ``service.start``."""
    answers = service.input(names.BLUR, BlurAnswer)

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            received = answers.get(_POLL_S)
            if received is None:
                continue
            for told in received.items:
                cameras.hear_blur(told)
            received.done()

    service.thread("camera.blur", run)
