"""Desired properties of the camera module."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.config.doorbells import DoorbellConfig

Pace = Literal["auto", "realtime", "max"]
Transport = Literal["shared", "inline"]
RtspTransport = Literal["tcp", "udp"]
CameraName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)]

Share = Annotated[float, Meta(ge=0, le=1)]
Point = tuple[Share, Share]
MaskStyle = Literal["black", "pixels"]

CAMERAS_MAX = 64
MASKS_MAX = 32
ReadyWhen = Literal["any", "all", "quorum"]


class PrivacyMask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the picture that must never be seen; hidden before a frame leaves the decoder's process."""

    points: Annotated[
        tuple[Point, ...],
        Meta(
            min_length=3,
            max_length=64,
            description="Corners of the polygon: x and y in shares of the upright picture, 0 to 1 from its top left.",
        ),
    ]
    style: Annotated[
        MaskStyle,
        Meta(description="black: nothing is left; pixels: coarse blocks, which still show that somebody is there."),
    ] = "black"


class MotionGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Send frames only while something moves."""

    every_s: Annotated[
        float, Meta(ge=0.1, le=3600, description="While nothing moves, a frame goes on this often all the same.")
    ] = 5.0
    hold_s: Annotated[float, Meta(ge=0, le=3600, description="Frames go on for this long after the last motion.")] = 2.0


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a live camera should send; anything else is told as degraded."""

    fps: (
        Annotated[
            float, Meta(gt=0, le=240, description="Frames per second; below 0.6 or above 1.6 of it for 10 s is told.")
        ]
        | None
    ) = None
    size: (
        Annotated[str, Meta(pattern="^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$", description="As captured, such as 1920x1080.")]
        | None
    ) = None
    learn: Annotated[
        bool, Meta(description="Without fps: the rate of the camera's first minute is what it should send.")
    ] = False


class ClipMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keep the last packets, so that a clip can begin before it is asked for."""

    seconds: Annotated[
        float, Meta(ge=1, le=120, description="Kept at least so long, from a key frame on, as far as bytes allow.")
    ] = 15.0
    bytes: Annotated[
        int,
        Meta(ge=1 << 20, le=1 << 28, description="Memory for them, and the most that one clip may have."),
    ] = 16 << 20


class ClipStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Clips on the device's disk; the oldest go first."""

    bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 40, description="Disk for clips of all cameras.")] = 512 << 20
    hours: Annotated[float, Meta(gt=0, le=87_600, description="A clip goes when it is this old.")] = 72.0


class EvidenceStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Chosen pictures and clips on the device's disk, for the evidence module; the oldest go first."""

    bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 40, description="Disk for evidence of all cameras.")] = 256 << 20
    hours: Annotated[float, Meta(gt=0, le=87_600, description="A file goes when it is this old.")] = 72.0


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera. Changing any property reopens this camera and no other."""

    source: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="Absolute path of a video file, or of pictures (a folder, or a pattern such as /data/*.jpg); "
            "rtsp:// or rtsps:// URL; http:// or https:// URL of MJPEG, of a JPEG snapshot or of an HLS playlist "
            "(passwords as ${SECRET_NAME}); v4l2:///dev/video0?size=1280x720&fps=30; or synthetic://conveyor?seed=1&fps=30.",
        ),
    ]
    pace: Annotated[
        Pace,
        Meta(
            description="max: every frame, as fast as inference takes them, none dropped; realtime: by the frames' "
            "times, the newest wins; auto: max for files, realtime for the rest. Live sources set their own pace.",
        ),
    ] = "auto"
    loop: Annotated[bool, Meta(description="Begin again at the end of a file.")] = False
    frames: Annotated[int, Meta(ge=1, description="Stop after this many captured frames.")] | None = None
    fps: Annotated[float, Meta(gt=0, le=240, description="Take at most this many frames per second.")] | None = None
    width_max: (
        Annotated[
            int,
            Meta(
                ge=64,
                le=16384,
                description="Wider pictures are scaled down to this many pixels as they are decoded: less shared "
                "memory and less work for who reads them. A camera's own sub-stream spares the decoding too. "
                "Decoder pyav.",
            ),
        ]
        | None
    ) = None
    decoding: Annotated[
        Literal["software", "auto"],
        Meta(
            description="auto: a decoder in hardware, where the container has its device and its first pictures equal "
            "the software decoder's; camera_state says which decodes, and why. Video only, decoder pyav."
        ),
    ] = "software"
    weight: Annotated[
        float,
        Meta(
            ge=0.1,
            le=10,
            description="This camera's share of the frames beside the others' while the device cannot infer all: 2 "
            "gets twice as many as 1. Each keeps its share, so none starves, and the newest frame goes first.",
        ),
    ] = 1.0
    interval_s: Annotated[
        float,
        Meta(
            ge=0.04, le=3600, description="Seconds between two pictures: of a snapshot address (http), or of a folder."
        ),
    ] = 1.0
    rtsp_transport: Annotated[
        RtspTransport,
        Meta(
            description="How the camera sends over RTSP. tcp loses nothing; udp is for cameras that know nothing else: "
            "packets lost on the way show as smeared pictures."
        ),
    ] = "tcp"
    tls_verify: Annotated[
        bool,
        Meta(
            description="rtsps:// and https:// only. false: connect without checking the camera's certificate, so that "
            "anybody on the way can read the stream and take the password; camera_state shows it."
        ),
    ] = True
    masks: Annotated[
        dict[CameraName, PrivacyMask],
        Meta(
            max_length=MASKS_MAX,
            description="Privacy masks by name, burnt into every frame before it leaves the decoder's process; "
            "camera_state names those in force.",
        ),
    ] = {}
    blur: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        Meta(
            max_length=32,
            description="Classes of the model, by label, that are blurred wherever a picture of this camera is shown, "
            "stored or sent on; the whole picture where inference has not seen the frame or does not know a class. "
            "Refused together with clips. The frames folder holds them as they are: the model must see them.",
        ),
    ] = ()
    motion: (
        Annotated[
            MotionGate,
            Meta(
                description="Only frames in which something moves go on, and one every every_s. Off without it: "
                "whatever looks for things that stand still needs every frame."
            ),
        ]
        | None
    ) = None
    expect: (
        Annotated[
            Expected,
            Meta(description="Live cameras: tell a rate or a size that is not the one it should be (rate, size)."),
        ]
        | None
    ) = None
    tamper: Annotated[
        bool,
        Meta(
            description="Live cameras: tell when the lens is covered or out of focus, against what it showed before. "
            "Off: a camera that is turned, or sees fog, looks alike."
        ),
    ] = False
    clips: (
        Annotated[
            ClipMemory,
            Meta(
                description="Keep the last packets for record_clip (RTSP, HLS, video files). Refused together with "
                "masks or blur: a clip is what the camera sent, and they are not in it."
            ),
        ]
        | None
    ) = None
    transport: Annotated[
        Transport,
        Meta(description="shared: pixels in the shared frame folder; inline: as JPEG in the message (other host)."),
    ] = "shared"
    slots: Annotated[
        int,
        Meta(
            ge=4, le=64, description="Frames of this camera in shared memory; each takes width x height x 1.5 (video)."
        ),
    ] = 8


class CameraConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All cameras by name: lower-case letters, digits, dash and underscore."""

    cameras: Annotated[
        dict[CameraName, CameraSettings],
        Meta(max_length=CAMERAS_MAX, description="Cameras by name; none by default, so none runs unseen."),
    ] = {}
    ready_when: Annotated[
        ReadyWhen,
        Meta(
            description="How many cameras must give frames (or have finished) for /readyz to answer yes: any one, all, "
            "or a quorum, which is at least half."
        ),
    ] = "quorum"
    clip_store: ClipStore = ClipStore()
    evidence_store: EvidenceStore = EvidenceStore()
    linger_ms: Annotated[
        float,
        Meta(ge=0, le=200, description="Wait this long for more frames to join a message: less CPU, more delay."),
    ] = 0.0
    doorbells: DoorbellConfig = DoorbellConfig()
