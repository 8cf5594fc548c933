"""Direct method ``record_clip``: a file on the device from what a camera sent before and after."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.clips import ClipFacts
from vigie.errors import MethodRefusedError
from vigie.service import Service
from vigie_camera.cameras import Cameras
from vigie_camera.clip_desk import give_back
from vigie_camera.config import CameraConfig

# Beyond the seconds that it is to have: a stream that stops is given up after three, then it is written.
_CLIP_WAIT_S = 6.0


class RecordClipRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``label``: yours, such as an event's id; it is kept beside the clip."""

    camera: str
    before_s: Annotated[float, Meta(ge=0, le=120)] = 5.0
    after_s: Annotated[float, Meta(ge=0, le=20)] = 5.0
    label: Annotated[str, Meta(max_length=200)] | None = None


class RecordClipReply(msgspec.Struct, frozen=True):
    """``path``: of the clip in the module's container; ``clip``: what is also in the .json file beside it."""

    path: str
    clip: ClipFacts


def offer_clips(service: Service[CameraConfig], cameras: Cameras) -> None:
    """Answer ``record_clip``."""

    def record_clip(request: RecordClipRequest) -> RecordClipReply:
        capture = cameras.find(request.camera)
        if capture.clips is None:
            raise MethodRefusedError(
                409, f"$.camera: camera '{request.camera}' keeps no packets; set $.cameras.{request.camera}.clips"
            )
        if capture.status.state != "streaming":
            raise MethodRefusedError(409, capture.status.no_picture())
        answer = capture.clips.request(request.before_s, request.after_s)
        try:
            taken = answer.result(request.after_s + _CLIP_WAIT_S)
        except FutureTimeoutError:
            # What comes later is nobody's, and its memory is given back.
            answer.cancel()
            answer.add_done_callback(give_back)
            raise MethodRefusedError(503, f"camera '{request.camera}' gave no clip in time") from None
        facts = cameras.clips.save(
            request.camera, taken, before_s=request.before_s, after_s=request.after_s, label=request.label
        )
        return RecordClipReply(str(cameras.clips.folder / facts.file), facts)

    service.method("record_clip", RecordClipRequest, record_clip)
