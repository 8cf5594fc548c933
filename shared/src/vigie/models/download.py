"""Download one file of known size and sha256; what was interrupted goes on where it stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler

from vigie.errors import DownloadError, DownloadRefusedError
from vigie.models.link import REDIRECTS_MAX, SILENT_S, open_link, shown

ATTEMPTS_WITHOUT_PROGRESS = 3
ATTEMPTS_MAX = 30
PIECE_BYTES = 1 << 18
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """What to get. The hash alone decides whether it came; size bounds what is ever written.

    ``query``: a secret that is appended to the URL (a shared access signature) and shown nowhere; ``authorization``:
    the header of that name, which no redirect takes along.
    """

    url: str
    sha256: str
    size_bytes: int
    query: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The URL to ask, with its secret."""
        return f"{self.url}{'&' if '?' in self.url else '?'}{self.query}" if self.query else self.url


class _StartAgainError(Exception):
    """What is there so far is of no use: empty it and ask for the whole."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a download goes about its work.

    ``say``: told the progress in lines. ``pause``: waits the seconds before the next attempt. ``silent_s``: a server
    that sends nothing for so long has broken off. ``came``: told the bytes of each piece that came; it may wait, which
    slows the download down, or raise, which ends it. ``piece_bytes``: of a piece at most.
    """

    say: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    silent_s: float = SILENT_S
    came: Callable[[int], None] = lambda _: None
    piece_bytes: int = PIECE_BYTES


def download(wanted: ExpectedFile, folder: Path, conduct: Conduct) -> Path:
    """The verified file in ``folder``, named by its hash; ``folder`` also keeps what came of an interrupted download.

    Raises: DownloadError: broken off or away; calling again goes on. DownloadRefusedError: other bytes than wanted, an
        answer that cannot become them, no room, or a folder that cannot be written.
    """
    done = folder / wanted.sha256
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if done.is_file() and _sha256(done) == wanted.sha256:
            return done
        with _locked(folder, wanted) as part:
            _complete(wanted, part, conduct)
            part.rename(done)
            _validator_file(part).unlink(missing_ok=True)
    except OSError as error:
        raise DownloadRefusedError(str(folder), f"cannot be written: {error.strerror or error}") from error
    return done


def _complete(wanted: ExpectedFile, part: Path, conduct: Conduct) -> None:
    for last_try in (False, True):
        whole = _grow(wanted, part, conduct)
        if _sha256(part) == wanted.sha256:
            return
        _empty(part)
        if whole or last_try:
            break
        # Halves of two versions of the file, or a disk that lied: the whole in one piece decides.
        conduct.say("the pieces do not fit together; starting again from the beginning")
    raise DownloadRefusedError(
        shown(wanted.url),
        f"is not the file that was asked for (sha256 does not match {wanted.sha256[:12]}..); nothing was kept",
    )


def _grow(wanted: ExpectedFile, part: Path, conduct: Conduct) -> bool:
    """Ask until all bytes are there; true if they came in one piece."""
    failures = 0
    for _ in range(ATTEMPTS_MAX):
        before = part.stat().st_size
        try:
            _attempt(wanted, part, conduct)
        except _StartAgainError:
            _empty(part)
            failures += 1
            if failures >= ATTEMPTS_WITHOUT_PROGRESS:
                raise DownloadError(shown(wanted.url), "the server ignores Range requests") from None
        except DownloadError as error:
            failures = 1 if part.stat().st_size > before else failures + 1
            if failures >= ATTEMPTS_WITHOUT_PROGRESS:
                raise
            conduct.say(f"{error.reason}; trying again")
            conduct.pause(0.5 * 2**failures)
        else:
            return not before
    raise DownloadError(shown(wanted.url), f"interrupted {ATTEMPTS_MAX} times")


def _attempt(wanted: ExpectedFile, part: Path, conduct: Conduct) -> None:
    """Ask for what is missing and append it. Raises: _StartAgainError, DownloadError, DownloadRefusedError."""
    have = part.stat().st_size
    if have > wanted.size_bytes:
        raise _StartAgainError
    if have == wanted.size_bytes:
        return
    free = shutil.disk_usage(part.parent).free
    if free < wanted.size_bytes - have:
        raise DownloadRefusedError(
            str(part.parent),
            f"has {free >> 20} MiB free, {(wanted.size_bytes - have) >> 20} MiB are to come; make room",
        )
    try:
        headers = _range_headers(part, have)
        with open_link(
            wanted.address, headers, authorization=wanted.authorization, timeout_s=conduct.silent_s
        ) as response:
            start = _start_of(response, wanted, have)
            _remember(part, response)
            _append(response, wanted, part, start, conduct)
    except HTTPError as error:
        raise _answered(wanted, error, have) from error
    except (URLError, HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
        raise _broken(wanted, error, part.stat().st_size) from error
    have = part.stat().st_size
    if have < wanted.size_bytes:
        raise DownloadError(shown(wanted.url), f"the connection broke after {have} of {wanted.size_bytes} bytes")


def _range_headers(part: Path, have: int) -> dict[str, str]:
    if not have:
        return {}
    headers = {"Range": f"bytes={have}-"}
    try:
        validator = json.loads(_validator_file(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return headers  # the hash of the whole decides anyway
    return {**headers, "If-Range": validator} if isinstance(validator, str) else headers


def _remember(part: Path, response: HTTPResponse) -> None:
    """Keep what names this version of the file; a weak ETag cannot be asked for ranges (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")
    _validator_file(part).write_text(json.dumps(validator), encoding="utf-8")


def _start_of(response: HTTPResponse, wanted: ExpectedFile, have: int) -> int:
    """At which byte the answer begins. Raises: _StartAgainError, DownloadRefusedError: it cannot become the file."""
    url = shown(wanted.url)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DownloadRefusedError(url, "comes compressed although that was not asked for; use another server")
    length = response.headers.get("Content-Length", "")
    if response.status == 206:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        if unit != "bytes" or span.partition("-")[0] != str(have):
            raise _StartAgainError
        if total not in {"*", str(wanted.size_bytes)}:
            raise DownloadRefusedError(url, _other_size(total, wanted))
        return have
    if response.status != 200:
        raise DownloadRefusedError(url, f"answers {response.status} where a file was expected; correct the URL")
    if length.isdecimal() and int(length) != wanted.size_bytes:
        raise DownloadRefusedError(url, _other_size(length, wanted))
    return 0


def _other_size(said: str, wanted: ExpectedFile) -> str:
    return f"has {said} bytes, {wanted.size_bytes} were expected; it is another file"


def _append(response: HTTPResponse, wanted: ExpectedFile, part: Path, start: int, conduct: Conduct) -> None:
    with part.open("r+b") as file:
        file.truncate(start)
        file.seek(start)
        have, told = start, time.monotonic()
        while have < wanted.size_bytes and (
            chunk := response.read1(min(conduct.piece_bytes, wanted.size_bytes - have))
        ):
            file.write(chunk)
            have += len(chunk)
            conduct.came(len(chunk))
            if time.monotonic() - told > 2.0:
                told = time.monotonic()
                conduct.say(f"{have / 1e6:.1f} of {wanted.size_bytes / 1e6:.1f} MB")
        file.flush()
        os.fsync(file.fileno())
    # Without a Content-Length (chunked, or until the connection closes) more may follow: then it is another file.
    if have == wanted.size_bytes and response.length is None and response.read(1):
        _empty(part)
        raise DownloadRefusedError(
            shown(wanted.url), f"goes on after the {wanted.size_bytes} bytes that were expected; nothing was kept"
        )


def _answered(wanted: ExpectedFile, error: HTTPError, have: int) -> Exception:
    url = shown(wanted.url)
    if error.code == 416 and have:
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        if total.isdecimal() and int(total) != wanted.size_bytes:
            return DownloadRefusedError(url, _other_size(total, wanted))
        return _StartAgainError()
    if str(error.msg).startswith(HTTPRedirectHandler.inf_msg):
        return DownloadRefusedError(url, f"redirects more than {REDIRECTS_MAX} times; correct the URL")
    if error.code in _LATER:
        return DownloadError(url, f"the server answers {error.code} just now")
    return DownloadRefusedError(url, f"the server answers {error.code}; correct the URL")


def _broken(wanted: ExpectedFile, error: Exception, have: int) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadRefusedError(
            shown(wanted.url),
            f"its certificate is not trusted ({reason.verify_message}); if a proxy inspects the traffic, set "
            "SSL_CERT_FILE or REQUESTS_CA_BUNDLE to its CA",
        )
    if have and not isinstance(error, URLError):
        return DownloadError(shown(wanted.url), f"the connection broke after {have} of {wanted.size_bytes} bytes")
    return DownloadError(shown(wanted.url), f"no answer ({str(reason) or type(reason).__name__})")


def _empty(part: Path) -> None:
    """Forget what came so far."""
    _validator_file(part).unlink(missing_ok=True)
    os.truncate(part, 0)


def _validator_file(part: Path) -> Path:
    return part.with_suffix(".version")


@contextmanager
def _locked(folder: Path, wanted: ExpectedFile) -> Iterator[Path]:
    """The file that grows, for this process alone."""
    part = folder / f"{wanted.sha256}.part"
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o664)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(shown(wanted.url), "another process is fetching it") from error
        yield part
    finally:
        os.close(descriptor)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def copy_in(wanted: ExpectedFile, file: Path, folder: Path) -> Path:
    """``file``, copied into ``folder`` under its hash, whole and of the right hash: ``wanted.url`` is not asked.

    Raises: DownloadRefusedError: other bytes than wanted, not a plain file, or a folder that cannot be written.
    """
    done = folder / wanted.sha256
    part = folder / f"{wanted.sha256}.part"
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        source = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(source, "rb") as content, part.open("wb") as copy:
            facts = os.fstat(source)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size != wanted.size_bytes:
                raise DownloadRefusedError(str(file), f"is not a file of {wanted.size_bytes} bytes")
            while chunk := content.read(PIECE_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != wanted.sha256:
            part.unlink()
            raise DownloadRefusedError(
                str(file), f"is not the file that was asked for (sha256 does not match {wanted.sha256[:12]}..)"
            )
        part.rename(done)
    except OSError as error:
        raise DownloadRefusedError(str(file), f"cannot be copied: {error.strerror or error}") from error
    return done
