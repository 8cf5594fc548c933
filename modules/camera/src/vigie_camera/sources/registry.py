"""Which family a source belongs to. A new family is one file here and one line in the table."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from vigie.errors import SourceOpenError, SourceRefusedError
from vigie.log import get_logger, redact
from vigie.secrets import SecretStore
from vigie.source_url import SECRET, NetworkSource, read_network_source
from vigie.synthetic.url import parse_url
from vigie_camera.config import CameraSettings
from vigie_camera.connect import connection
from vigie_camera.decode.backend import NOT_A_VIDEO, VideoOptions
from vigie_camera.secrets import refused_by
from vigie_camera.source_policy import SourcePolicy
from vigie_camera.usb.address import DeviceUrlError, device_address, read_device_url
from vigie_camera.usb.modes import NoSuchModeError, negotiate
from vigie_camera.usb.v4l2 import modes_of

log = get_logger("camera.source")

Kind = Literal["file", "web", "rtsp", "synthetic", "v4l2"]
Tls = Literal["verified", "unverified", "none"]
SUPPORTED: Final = (
    "an absolute path of a video file or a folder of pictures, rtsp://host/path, http://host/path, "
    "v4l2:///dev/video0, or synthetic://conveyor?seed=1&fps=30"
)
OPEN_S: Final = 10.0
FILE_S: Final = 10.0  # a file on a network share that went away
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_LATER: Final = {
    "rtmp": "RTMP",
    "srt": "SRT",
    "onvif": "an ONVIF device (`./vigie cameras discover` shows its rtsp addresses)",
}


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What resolving needs besides the source: where secrets are looked for, and what this device may open."""

    secrets: Path
    environ: Mapping[str, str]
    policy: SourcePolicy = field(default_factory=SourcePolicy)

    @property
    def store(self) -> SecretStore:
        return SecretStore(self.secrets, self.environ)


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """A source that has been understood and not yet opened. ``shown`` never holds a secret.

    ``live``: sets its own pace, comes back after being lost; ``endless``: has no end of its own;
    ``resolve``: the address to open, secrets in place, asked for anew before every opening; it goes to this camera's
    decoder and nowhere else. Raises SecretMissingError, SourceOpenError.
    ``size_hw``: known before opening, for the check of shared memory; ``network``: where it is, for one on a network;
    ``tls``: how its connection is protected.
    """

    kind: Kind
    shown: str
    live: bool
    endless: bool
    resolve: Callable[[OpenContext], str]
    size_hw: tuple[int, int] | None = None
    network: NetworkSource | None = None
    tls: Tls | None = None

    def options(
        self, settings: CameraSettings, read_s: float, ca_file: str = "", *, hardware_doubt: str = ""
    ) -> VideoOptions:
        """How the decoder opens it. ``read_s``: its time-out for reads, of a live source.

        ``hardware_doubt``: why hardware is not tried again.
        """
        if self.live:
            return VideoOptions(
                live=True,
                transport=settings.rtsp_transport,
                open_timeout_s=OPEN_S,
                read_timeout_s=read_s,
                tls_verify=settings.tls_verify,
                ca_file=ca_file,
                width_max=settings.width_max or 0,
                decoding=settings.decoding,
                doubt=hardware_doubt,
            )
        return VideoOptions(
            live=False,
            open_timeout_s=OPEN_S,
            read_timeout_s=FILE_S,
            width_max=settings.width_max or 0,
            decoding=settings.decoding,
            doubt=hardware_doubt,
        )


def plan_source(source: str, *, tls_verify: bool = True) -> SourcePlan:
    """Understand ``source``; nothing is opened, no secret is read. ``tls_verify``: check an rtsps camera's certificate.

    Raises: SourceRefusedError, SyntheticSourceError: it can never be opened as it stands.
    """
    shown = redact(source)
    scheme = _SCHEME.match(source)
    match scheme[1].lower() if scheme else "":
        case "" | "file":
            return _plan_file(source, shown)
        case "rtsp" | "rtsps" | "http" | "https":
            return _plan_network(source, tls_verify=tls_verify)
        case "v4l2":
            return _plan_device(source, shown)
        case "synthetic":
            return _plan_synthetic(source, shown)
        case other if other in _LATER:
            raise SourceRefusedError(shown, f"{_LATER[other]} cannot be opened by this version; use {SUPPORTED}")
        case other:
            raise SourceRefusedError(shown, f"'{other}://' is not known; use {SUPPORTED}")


def refusal(plan: SourcePlan, policy: SourcePolicy, store: SecretStore) -> str | None:
    """Why this device does not open ``plan``, as far as can be told before opening: scheme, address, secrets."""
    network = plan.network
    if network is None:
        return policy.refuses_scheme(plan.kind)
    return policy.refuses_scheme(network.scheme) or policy.refuses_host(network.host) or refused_by(store, network)


def caution(plan: SourcePlan) -> str | None:
    """What an operator should know about a source that is accepted."""
    if plan.network is None or not plan.network.secrets:
        return None
    if plan.tls == "none":
        return (
            "warning: the password crosses the network readable or weakly hashed; "
            "use rtsps:// or https:// where the camera has it"
        )
    if plan.tls == "unverified":
        return "warning: the camera's certificate is not checked (tls_verify false), so anybody may take the password"
    return None


def _plan_file(source: str, shown: str) -> SourcePlan:
    path = Path(_path_of(source))
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in source + str(path)):
        raise SourceRefusedError("...", "holds a control character; rename the file")
    # Whether such a file exists is not asked: a mount that is away would hold every camera.
    if not path.is_absolute():
        raise SourceRefusedError(shown, f"is not an absolute path; use {SUPPORTED}")
    if SECRET.search(source):
        raise SourceRefusedError(shown, "secrets are for URLs; a path is written as it is")
    if str(path).startswith(("/dev/video", "/dev/v4l/")):
        return _plan_device(str(path), shown)

    pattern = any(sign in source for sign in "*?")

    def resolve(_context: OpenContext) -> str:
        why = None if pattern or path.is_dir() else _no_file(path)
        if why:
            log.warning("file_not_opened", source=str(path), why=why)
            raise SourceOpenError(str(path), NOT_A_VIDEO)
        return str(path)

    return SourcePlan("file", shown, live=False, endless=False, resolve=resolve)


def _path_of(source: str) -> str:
    """Of a path, itself; of a ``file:`` URL (RFC 8089), its path, percent-decoded; any other host than ours is none."""
    if _SCHEME.match(source) is None:
        return source
    try:
        split = urlsplit(source)
    except ValueError:
        return ""
    return unquote(split.path) if split.netloc.lower() in ("", "localhost") else ""


def _no_file(path: Path) -> str | None:
    """Why ``path`` cannot be read as a file with something in it."""
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.strerror
    if not stat.S_ISREG(found.st_mode):
        return "not a file"
    return None if found.st_size else "empty"


def _plan_network(source: str, *, tls_verify: bool) -> SourcePlan:
    network = read_network_source(source)

    def resolve(context: OpenContext) -> str:
        return connection(network, context.policy, context.store, tls_verify=tls_verify).reveal()

    tls: Tls = "none" if network.scheme in ("rtsp", "http") else "verified" if tls_verify else "unverified"
    kind: Kind = "rtsp" if network.scheme.startswith("rtsp") else "web"
    return SourcePlan(kind, redact(source), live=True, endless=True, resolve=resolve, network=network, tls=tls)


def _plan_device(source: str, shown: str) -> SourcePlan:
    """What the device offers is asked anew at each opening: another camera may be plugged in by then."""
    try:
        path, requested = read_device_url(source)
    except DeviceUrlError as error:
        raise SourceRefusedError(shown, str(error)) from error

    def resolve(_context: OpenContext) -> str:
        try:
            mode = negotiate(modes_of(Path(path)), requested)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SourceOpenError(
                shown, f"{path}: {reason}; check that it is plugged in and given to the container"
            ) from error
        except NoSuchModeError as error:
            raise SourceOpenError(shown, str(error)) from error
        log.info("device_mode_chosen", source=shown, mode=str(mode))
        return device_address(path, mode)

    return SourcePlan("v4l2", shown, live=True, endless=True, resolve=resolve)


def _plan_synthetic(source: str, shown: str) -> SourcePlan:
    spec = parse_url(source)
    size_hw = (spec.size_wh[1], spec.size_wh[0])
    return SourcePlan("synthetic", shown, live=False, endless=True, resolve=lambda _context: source, size_hw=size_hw)
