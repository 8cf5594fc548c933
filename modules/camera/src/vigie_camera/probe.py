"""What an address offers, without making a camera of it: opened once by a decoder of its own, up to its first frame."""

from __future__ import annotations

import os
import threading
import time

import msgspec

from vigie.errors import MethodRefusedError, PermanentError, SourceOpenError, VigieError
from vigie_camera.capture import task_for
from vigie_camera.cause import Cause
from vigie_camera.config import CameraSettings
from vigie_camera.connect import HostUnknownError, ca_file
from vigie_camera.decode.decoder_process import DecoderProcess, Nursery
from vigie_camera.decode.link import LinkClosedError
from vigie_camera.decode.wire import Ended, Formatted, SourceFailed, SourceOpened
from vigie_camera.sources import plan_source
from vigie_camera.sources.registry import OpenContext, caution, refusal

# A caller of a direct method waits 30 s by default.
_WITHIN_S = 20.0


class ProbeReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``ok``: a frame came. Otherwise ``cause`` and ``reason`` say why not, in the words of ``camera_state``.

    ``decoder``: back end and codec; ``fps``: as the source says of itself, 25 where it does not.
    """

    source: str
    ok: bool
    kind: str
    tls: str | None = None
    decoder: str | None = None
    size: str | None = None
    fps: float | None = None
    cause: Cause | None = None
    reason: str | None = None
    caution: str | None = None


class Probe:
    """One at a time."""

    def __init__(self, nursery: Nursery, opening: OpenContext) -> None:
        """The device's policy and secrets hold as for a camera in the twin."""
        self._nursery, self._opening = nursery, opening
        self._busy = threading.Lock()

    def look(self, settings: CameraSettings) -> ProbeReply:
        """Raises: MethodRefusedError: 400, this device opens no such source; 409, another probe is under way."""
        try:
            plan = plan_source(settings.source, tls_verify=settings.tls_verify)
        except PermanentError as error:
            raise MethodRefusedError(400, f"$.source: {error}") from error
        if refused := refusal(plan, self._opening.policy, self._opening.store):
            raise MethodRefusedError(400, f"$.source: {refused}")
        if not self._busy.acquire(blocking=False):
            raise MethodRefusedError(409, "another source is being probed; ask again when it has been answered")
        found = ProbeReply(source=plan.shown, ok=False, kind=plan.kind, tls=plan.tls, caution=caution(plan))
        try:
            options = plan.options(settings, _WITHIN_S / 2, ca_file(self._opening.secrets))
            address = plan.resolve(self._opening)
            process = self._nursery.start(
                task_for("probe", plan, settings, address, options, policy=self._opening.policy)
            )
            try:
                return _heard(process, found)
            finally:
                process.kill()
        except HostUnknownError as error:
            return msgspec.structs.replace(found, cause=Cause.DNS, reason=str(error))
        except (SourceOpenError, VigieError) as error:
            return msgspec.structs.replace(found, reason=str(error))
        finally:
            self._busy.release()


def _heard(process: DecoderProcess, found: ProbeReply) -> ProbeReply:
    """What the decoder says until it has a frame, or gives up."""
    deadline = time.monotonic() + _WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            received = process.link.receive(left)
        except LinkClosedError:
            return msgspec.structs.replace(found, cause=Cause.DECODE, reason="the decoder's process ended")
        if received is None:
            break
        news, fd = received
        if fd is not None:
            os.close(fd)
        match news:
            case SourceOpened():
                found = msgspec.structs.replace(found, decoder=news.decoder, fps=round(1 / news.period_s, 2))
            case Formatted():
                height, width = news.format.size_hw
                return msgspec.structs.replace(found, ok=True, size=f"{width}x{height}")
            case SourceFailed():
                return msgspec.structs.replace(found, cause=news.cause, reason=news.reason)
            case Ended():
                return msgspec.structs.replace(found, cause=Cause.NO_VIDEO, reason="it holds no frame")
            case _:
                pass
    return msgspec.structs.replace(found, cause=Cause.TIMEOUT, reason=f"no frame within {_WITHIN_S:g} s")
