"""Which streams a device has: its media service, its profiles, and where each of them is to be had."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from vigie_devkit.onvif.soap import Login, LoginRefusedError, OnvifError, ask
from vigie_devkit.onvif.xml import Element

_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2: Final = "http://www.onvif.org/ver20/media/wsdl"
_SCHEMA: Final = "http://www.onvif.org/ver10/schema"
_PROFILES_MAX: Final = 32
# A twin asks for one stream; detection gains little from more pixels than these.
_PIXELS_BEST: Final = 1920 * 1080


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream as the device describes it. ``uri``: without a password; ``reason``: why it is missing."""

    name: str
    codec: str
    size_wh: tuple[int, int] | None
    fps: float | None
    uri: str
    reason: str = ""


def profiles_of(service: str, login: Login | None) -> list[Profile]:
    """The streams of the device whose device service is ``service``. Raises: OnvifError."""
    if login is not None:
        login = Login(login.user, login.password, _clock_ahead(service))
    namespace, media = _media_service(service, login)
    wanted = "<Type>VideoEncoder</Type>" if namespace == _MEDIA2 else ""
    body = ask(media, f'<GetProfiles xmlns="{namespace}">{wanted}</GetProfiles>', login)
    found = [_profile(one, namespace, media, login) for one in [*body.all("Profiles")][:_PROFILES_MAX]]
    if not found:
        raise OnvifError("has no video profile")
    return found


def best(profiles: list[Profile]) -> Profile | None:
    """The largest up to Full HD that has an address; else the smallest."""
    able = [one for one in profiles if one.uri]
    fitting = [one for one in able if one.size_wh and one.size_wh[0] * one.size_wh[1] <= _PIXELS_BEST]
    if fitting:
        return max(fitting, key=_pixels)
    return min(able, key=_pixels, default=None)


def _pixels(profile: Profile) -> int:
    return profile.size_wh[0] * profile.size_wh[1] if profile.size_wh else 0


def _clock_ahead(service: str) -> timedelta:
    """The device tells its clock to anybody, so that digests can be made for it."""
    body = ask(service, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>')
    utc = body.first("UTCDateTime")
    with suppress(ValueError, OverflowError):
        if utc is not None:
            year, month, day = (int(utc.said("Date", part)) for part in ("Year", "Month", "Day"))
            hour, minute, second = (int(utc.said("Time", part)) for part in ("Hour", "Minute", "Second"))
            return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - datetime.now(UTC)
    return timedelta()


def _media_service(service: str, login: Login | None) -> tuple[str, str]:
    """Namespace and URL; the second version knows H.265, the first is what old cameras have."""
    found: dict[str, str] = {}
    try:
        body = ask(
            service,
            f'<GetServices xmlns="{_DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>',
            login,
        )
        found = {one.said("Namespace"): one.said("XAddr") for one in body.all("Service")}
    except LoginRefusedError:
        raise
    except OnvifError:  # asked in the first version's way below
        pass
    for namespace in (_MEDIA2, _MEDIA):
        if url := found.get(namespace):
            return namespace, _same_host(url, service)
    capabilities = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
    url = ask(service, capabilities, login).said("Media", "XAddr")
    if not url:
        raise OnvifError("has no media service")
    return _MEDIA, _same_host(url, service)


def _same_host(url: str, service: str) -> str:
    """``url`` at the host that was found: behind a router a device names another, and a hostile one somebody else's."""
    split, known = urlsplit(url), urlsplit(service)
    if split.scheme not in ("http", "https"):
        raise OnvifError("names a media service that is not on the web")
    return urlunsplit((known.scheme, known.netloc, split.path, "", ""))


def _profile(one: Element, namespace: str, media: str, login: Login | None) -> Profile:
    encoder = one.first("VideoEncoder" if namespace == _MEDIA2 else "VideoEncoderConfiguration") or Element("", {})
    size: tuple[int, int] | None = None
    with suppress(ValueError):
        size = int(encoder.said("Resolution", "Width")), int(encoder.said("Resolution", "Height"))
    fps: float | None = None
    with suppress(ValueError):
        fps = float(encoder.said("RateControl", "FrameRateLimit"))
    uri = reason = ""
    try:
        uri = _stream(one.attributes.get("token", ""), namespace, media, login)
    except OnvifError as error:
        reason = str(error)
    return Profile(one.said("Name"), encoder.said("Encoding") or "?", size, fps, uri, reason)


def _stream(token: str, namespace: str, media: str, login: Login | None) -> str:
    token = escape(token)
    if namespace == _MEDIA2:
        asked = (
            f'<GetStreamUri xmlns="{namespace}"><Protocol>RTSP</Protocol>'
            f"<ProfileToken>{token}</ProfileToken></GetStreamUri>"
        )
    else:
        asked = (
            f'<GetStreamUri xmlns="{namespace}"><StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
            f"<ProfileToken>{token}</ProfileToken></GetStreamUri>"
        )
    uri = ask(media, asked, login).said("Uri")
    split = urlsplit(uri)
    if split.scheme not in ("rtsp", "rtsps") or not split.hostname:
        raise OnvifError("did not give an rtsp address")
    # Some answer with the password in it.
    return urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path, split.query, ""))
