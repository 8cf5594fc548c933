"""Why a camera gives no frames, as a closed set: twin, metrics and /readyz name the same word."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """One word for what is wrong. The sentence beside it says what to do."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    NO_VIDEO = "no_video"
    UNSUPPORTED_CODEC = "unsupported_codec"
    DECODE = "decode"
    STALLED = "stalled"
    FROZEN = "frozen"
    BLACK = "black"
    TAMPERED = "tampered"
    RATE = "rate"
    SIZE = "size"


# Frames come and show what is before the camera: told, but no reason to be unready.
WORTH_SOMETHING = frozenset({Cause.RATE, Cause.SIZE})

REMEDY: dict[Cause, str] = {
    Cause.DNS: "the host name is unknown; check it and the device's DNS",
    Cause.REFUSED: "nothing listens there; check the port and that the camera is on",
    Cause.UNREACHABLE: "no way to that host; check the address and the network",
    Cause.TIMEOUT: "no answer in time; check that the camera is on and reachable",
    Cause.UNAUTHORISED: "user or password refused",
    Cause.NOT_FOUND: "the camera does not know this path; check it",
    Cause.NO_VIDEO: "answered, but there is no video in it; check the path",
    Cause.UNSUPPORTED_CODEC: "a codec that this image cannot decode; choose H.264 or H.265",
    Cause.DECODE: "the video cannot be decoded",
    Cause.STALLED: "the stream stopped",
}
