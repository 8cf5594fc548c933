"""What FFmpeg's failure to open means: one cause out of a closed set, and a sentence without the address.

FFmpeg gives one class for several causes (a silent RTSP server, junk and an unreachable network are all "invalid
data"), so the clock decides about time-outs, and a doubtful failure is asked again with plain sockets.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from vigie_camera.cause import REMEDY, Cause
from vigie_camera.decode.backend import NOT_A_VIDEO, VideoError

PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_PROBE_S: Final = 2.0
_NO_ROUTE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_BY_CLASS: Final[dict[str, tuple[Cause, str]]] = {
    "HTTPUnauthorizedError": (Cause.UNAUTHORISED, "user or password refused"),
    "HTTPForbiddenError": (Cause.UNAUTHORISED, "access refused; this user may not see the video"),
    "HTTPNotFoundError": (Cause.NOT_FOUND, REMEDY[Cause.NOT_FOUND]),
    "HTTPBadRequestError": (Cause.NOT_FOUND, "the camera refuses this address; check the path"),
    "HTTPTooManyRequestsError": (Cause.REFUSED, "the camera is busy: too many viewers"),
    "HTTPOtherClientError": (Cause.NOT_FOUND, "the camera refuses this request; check the path and rtsp_transport"),
    "HTTPServerError": (Cause.REFUSED, "the camera reports an error of its own, or is busy"),
    "DecoderNotFoundError": (Cause.UNSUPPORTED_CODEC, REMEDY[Cause.UNSUPPORTED_CODEC]),
    "DemuxerNotFoundError": (Cause.NO_VIDEO, REMEDY[Cause.NO_VIDEO]),
}


def is_network(address: str) -> bool:
    """Whether the bytes come from somebody else's device."""
    return "://" in address


def open_failure(error: BaseException, address: str, lasted_s: float, limit_s: float) -> VideoError:
    """``error`` of opening ``address`` as a cause; neither its text nor the address goes into the reason."""
    if not is_network(address):
        return VideoError(Cause.NO_VIDEO, NOT_A_VIDEO)
    named = _BY_CLASS.get(type(error).__name__)
    if named is not None:
        return VideoError(*named)
    certain: Cause | None = None
    if isinstance(error, ConnectionRefusedError):
        certain = Cause.REFUSED
    elif isinstance(error, TimeoutError) or type(error).__name__ == "ExitError" or lasted_s >= 0.45 * limit_s:
        certain = Cause.TIMEOUT
    elif isinstance(error, OSError) and error.errno in _NO_ROUTE:
        certain = Cause.UNREACHABLE
    if certain is not None:
        return _failure(certain)
    return reach(address) or _failure(Cause.NO_VIDEO)


def reach(address: str) -> VideoError | None:
    """Look up the host and connect, as any client would; None: both work, so the trouble is above them."""
    with suppress(ValueError):
        split = urlsplit(address)
        host, port = split.hostname, split.port or PORTS.get(split.scheme.lower())
        if host and port:
            try:
                with socket.create_connection((host, port), _PROBE_S):
                    return None
            except socket.gaierror:
                return _failure(Cause.DNS)
            except ConnectionRefusedError:
                return _failure(Cause.REFUSED)
            except TimeoutError:
                return _failure(Cause.TIMEOUT)
            except OSError:
                return _failure(Cause.UNREACHABLE)
    return None


def _failure(cause: Cause) -> VideoError:
    return VideoError(cause, REMEDY[cause])
