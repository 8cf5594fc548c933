"""Direct methods of the camera module."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vigie.errors import MethodRefusedError
from vigie.frames.inline import encode_inline
from vigie.frames.shown import Blurred
from vigie.messaging.methods import NoRequest
from vigie.service import Service
from vigie_camera.cameras import Cameras
from vigie_camera.clip_method import offer_clips
from vigie_camera.config import CameraConfig, CameraSettings, RtspTransport
from vigie_camera.probe import ProbeReply
from vigie_camera.snapshots import Snapshot
from vigie_camera.usb.v4l2 import VideoDevice, devices

# A method's reply may hold 128 KB; base64 takes four characters for three bytes, and the rest is small.
SNAPSHOT_LIMIT_BYTES = 100_000
_SNAPSHOT_WAIT_S = 5.0


class SnapshotRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``width``: of the picture sent back, at most."""

    camera: str
    width: Annotated[int, Meta(ge=32, le=1280)] = 480


class SnapshotReply(msgspec.Struct, frozen=True):
    """``jpeg`` is base64 in JSON; ``frame_hw`` the size of the frame it was made from.

    ``blurred``: ``classes`` of the twin's ``blur``, or ``everything``, since inference did not say in time where they
    are; ``none``: the twin has none blurred.
    """

    camera: str
    frame_hw: tuple[int, int]
    jpeg: bytes
    blurred: Blurred = "none"


class ReconnectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    camera: str


class ReconnectReply(msgspec.Struct, frozen=True):
    """``state`` before the source is opened again."""

    camera: str
    state: str


class DevicesReply(msgspec.Struct, frozen=True):
    """V4L2 devices that this module may see; in a container, those that it was given."""

    devices: tuple[VideoDevice, ...]


class ProbeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``source`` and the two after it as in the twin."""

    source: Annotated[str, Meta(min_length=1, max_length=2048)]
    rtsp_transport: RtspTransport = "tcp"
    tls_verify: bool = True


def offer_methods(service: Service[CameraConfig], cameras: Cameras) -> None:
    """Answer the module's methods, ``record_clip`` (``clip_method``) among them."""

    def list_cameras(_request: NoRequest) -> dict[str, Any]:
        return {"cameras": cameras.describe()}

    def snapshot(request: SnapshotRequest) -> SnapshotReply:
        return _snapshot(cameras, request)

    def reconnect(request: ReconnectRequest) -> ReconnectReply:
        capture = cameras.find(request.camera)
        state = capture.status.state
        capture.reconnect()
        return ReconnectReply(request.camera, state)

    def restart_camera(request: ReconnectRequest) -> ReconnectReply:
        return ReconnectReply(request.camera, cameras.restart(request.camera))

    def list_devices(_request: NoRequest) -> DevicesReply:
        return DevicesReply(tuple(devices()))

    def probe_source(request: ProbeRequest) -> ProbeReply:
        return cameras.probe.look(
            CameraSettings(
                source=request.source, rtsp_transport=request.rtsp_transport, tls_verify=request.tls_verify, frames=1
            )
        )

    offer_clips(service, cameras)
    service.method("restart_camera", ReconnectRequest, restart_camera)
    service.method("list_devices", NoRequest, list_devices)
    service.method("probe_source", ProbeRequest, probe_source)
    service.method("list_cameras", NoRequest, list_cameras)
    service.method("snapshot", SnapshotRequest, snapshot)
    service.method("reconnect", ReconnectRequest, reconnect)


def _snapshot(cameras: Cameras, request: SnapshotRequest) -> SnapshotReply:
    capture = cameras.find(request.camera)
    if capture.status.state != "streaming":
        raise MethodRefusedError(409, capture.status.no_picture())
    answer = capture.snapshots.request(request.width)
    try:
        taken = answer.result(_SNAPSHOT_WAIT_S)
    except FutureTimeoutError:
        hidden = capture.snapshots.give_up(answer)
        answer.cancel()
        if hidden is not None:
            return _reply(request.camera, hidden)
        raise MethodRefusedError(503, f"camera '{request.camera}' gave no frame for {_SNAPSHOT_WAIT_S:g} s") from None
    return _reply(request.camera, taken)


def _reply(camera: str, taken: Snapshot) -> SnapshotReply:
    inline = encode_inline(taken.small_bgr, SNAPSHOT_LIMIT_BYTES)
    return SnapshotReply(camera, taken.frame_hw, inline.jpeg, taken.blurred)
