"""What a URL of a camera may look like: its characters, where a secret may stand, and which values stand in the open.

The rule is reversed on purpose: cameras take passwords under too many names (``pw``, ``p``, ``auth``, ``key``, ...) to
list them. So a value in the user part or the query is taken for a secret unless its key is known to hold none.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from vigie.errors import SourceRefusedError

SECRET: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# fmt: off
OPEN_KEYS: Final = frozenset((
    "api-version", "audio", "bitrate", "cam", "camera", "ch", "channel", "channelno", "chn", "codec",
    "compression", "difficulty", "enablesrtp", "encoding", "format", "fps", "framerate", "h26x", "height",
    "index", "inst", "line", "mirror", "multicast", "overview", "profile", "profilename", "proto", "protocol",
    "quality", "real_stream", "resolution", "rotation", "seed", "size", "stream", "streamtype", "subchannel",
    "substream", "subtype", "tcp", "transport", "transportmode", "type", "udp", "unicast", "user", "username",
    "usr", "vcd", "video", "videocodec", "width",
))
# fmt: on
"""Keys of a query whose values are no secrets; also the words that stand there alone."""
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?\Z",
    re.DOTALL,
)
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
_SAS = re.compile(r"(?P<key>(?:sig|SharedAccessKey|SharedAccessSignature)=)[^&;\s]+")
_OPEN_USER = re.compile(r"[A-Za-z0-9._~-]{1,32}")
_OPEN_VALUE = re.compile(r"[A-Za-z0-9_.,:+-]{0,32}")
# RFC 3986 without the apostrophe, and the marks of a secret. No blanks, no control characters, nothing beyond ASCII.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&()*+,;=%{}]*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NUMBER_LIKE = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9A-Fa-f]*)")
_DEFAULT_PORT = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_END_OF_SENTENCE = ",.;:!)"
HIDDEN: Final = "***"


class Span(NamedTuple):
    """A part of a URL, ``url[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """A camera's URL that is well formed; its secrets are still ``${NAME}``. ``host``: lower case, no brackets."""

    template: str
    scheme: str
    userinfo: str
    host: str
    port: int
    rest: str
    secrets: tuple[str, ...]

    def address(self, host: str) -> str:
        """The URL with ``host`` (a name or an address) in the place of its own."""
        shown = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{self.userinfo}{shown}:{self.port}{self.rest}"


def read_network_source(source: str) -> NetworkSource:
    """Take ``source`` apart.

    Raises: SourceRefusedError: a character that a URL does not have, a value that must be ``${NAME}``, a ``${NAME}``
    where none may stand, a host or port that cannot be one. Its text shows no secret.
    """
    match = _URL.match(source)
    scheme = match["scheme"].lower() if match else ""
    nameless = f"{scheme}://..."
    if match is None or scheme not in _DEFAULT_PORT:
        raise SourceRefusedError(nameless, "expected rtsp://host[:port]/path or http://host[:port]/path")
    if literals(source):
        raise SourceRefusedError(
            nameless,
            "holds a password, or a value that may be one; put it into a secret file and write ${SECRET_NAME} in its "
            f"place (values in the open: {', '.join(sorted(OPEN_KEYS)[:6])}, ...; see docs/security.md)",
        )
    if _CHARACTERS.fullmatch(source) is None or set(SECRET.sub("", source)) & set("${}"):
        raise SourceRefusedError(
            nameless,
            "holds a blank, a control character or another character that a URL does not have; "
            "percent-encode it, or put the value into a secret: ${SECRET_NAME}",
        )
    if misplaced(source):
        raise SourceRefusedError(
            nameless, "${SECRET_NAME} may stand as the user, as the password or as the value of a key, nowhere else"
        )
    userinfo, at, place = match["authority"].rpartition("@")
    host, port = _host_and_port(nameless, place, _DEFAULT_PORT[scheme])
    rest = source[match.start("path") :]
    return NetworkSource(source, scheme, userinfo + at, host, port, rest, tuple(SECRET.findall(source)))


def literals(url: str) -> list[Span]:
    """Values in ``url`` that may be secrets and stand there as themselves, in order."""
    return [span for span, secret in _values(url) if not secret]


def misplaced(url: str) -> list[Span]:
    """``${NAME}`` where none may stand, or only as a part of a value."""
    proper = {span for span, secret in _values(url) if secret}
    return [span for match in SECRET.finditer(url) if (span := Span(*match.span())) not in proper]


def shown(url: str) -> str:
    """``url`` with `***` in the place of everything that may be a secret; ``${NAME}`` stays."""
    match = _URL.match(url)
    if match is None:
        return url
    host = match["authority"].rpartition("@")[2]
    if "@" in match["path"] and not re.fullmatch(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?", host):
        # A password with a slash in it: where the host begins cannot be told.
        return f"{match['scheme']}://{HIDDEN}"
    for span in reversed(literals(url)):
        url = url[: span.start] + HIDDEN + url[span.end :]
    return url


def redact(text: str) -> str:
    """Hide what may be a secret in every URL of ``text``, and shared access keys; ``${NAME}`` stays."""
    if "://" in text:
        text = _IN_TEXT.sub(lambda match: _redact_one(match[0]), text)
    return _SAS.sub(rf"\g<key>{HIDDEN}", text) if "=" in text else text


def _redact_one(found: str) -> str:
    url = found.rstrip(_END_OF_SENTENCE)
    return shown(url) + found[len(url) :]


def _values(url: str) -> Iterator[tuple[Span, bool]]:
    """Each part of ``url`` that is a secret (``${NAME}``, True) or has to be taken for one (False)."""
    match = _URL.match(url)
    if match is None:
        return
    userinfo, at, _ = match["authority"].rpartition("@")
    if at:
        user, _, password = userinfo.partition(":")
        begin = match.start("authority")
        if user and not _OPEN_USER.fullmatch(user):
            yield _valued(begin, user)
        if password:
            yield _valued(begin + len(user) + 1, password)
    at_segment = match.start("path")
    for segment in match["path"].split("/"):
        yield from _pairs(segment, at_segment, alone=False)
        at_segment += len(segment) + 1
    if match["query"]:
        yield from _pairs(match["query"], match.start("query"), alone=True)
    if match["fragment"]:
        yield _valued(match.start("fragment"), match["fragment"])


def _pairs(text: str, begin: int, *, alone: bool) -> Iterator[tuple[Span, bool]]:
    """Values of ``key=value&...``. ``alone``: a word without a key is a value too, as in a query."""
    for token in re.split("([&;])", text):
        # Some cameras join with an underscore: user=admin_password=x_channel=1.
        inner = re.split("(_)", token) if token.count("=") > 1 else [token]
        for part in inner:
            key, equals, value = part.partition("=")
            if part in {"&", ";", "_"}:
                pass
            elif equals:
                is_open = key.lower() in OPEN_KEYS and _OPEN_VALUE.fullmatch(value)
                if value and not is_open:
                    yield _valued(begin + len(key) + 1, value)
            elif part and alone and part.lower() not in OPEN_KEYS:
                yield _valued(begin, part)
            begin += len(part)


def _valued(start: int, value: str) -> tuple[Span, bool]:
    return Span(start, start + len(value)), SECRET.fullmatch(value) is not None


def _host_and_port(nameless: str, place: str, default: int) -> tuple[str, int]:
    if place.startswith("["):
        host, bracket, after = place[1:].partition("]")
        separator, port = after[:1], after[1:]
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            raise SourceRefusedError(nameless, "names no host: the text in brackets is not an IPv6 address") from None
        if not bracket or (after and separator != ":"):
            raise SourceRefusedError(nameless, "expected rtsp://[address]:port/path")
    else:
        host, separator, port = place.partition(":")
        host = host.lower()
        if not host:
            raise SourceRefusedError(nameless, "names no host; expected rtsp://host[:port]/path")
        if _HOST.fullmatch(host) is None:
            raise SourceRefusedError(nameless, "the host holds a character that no host name has")
        if _NUMBER_LIKE.fullmatch(host) and not _is_ipv4(host):
            raise SourceRefusedError(nameless, "the host looks like an address but is not valid; write four numbers")
    if not separator:
        return host, default
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise SourceRefusedError(nameless, "the port is not a number from 1 to 65535")
    return host, int(port)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
