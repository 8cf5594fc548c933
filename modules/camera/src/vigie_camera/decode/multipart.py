"""Pictures out of a multipart/x-mixed-replace body (RFC 2046), as cameras really write it."""

from __future__ import annotations

import re
from collections.abc import Callable

PART_BYTES_MAX = 32 << 20
_READ_BYTES = 65_536
_HEADERS_MAX = 8_192
_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class MultipartError(ValueError):
    """The body is not what its type says."""


def boundary_of(content_type: str) -> bytes:
    """Raises: MultipartError: it names none."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise MultipartError("the stream does not declare the boundary between its pictures")
    # Some cameras write the two dashes of the separator into the name, some do not.
    return b"--" + match[1].strip().lstrip("-").encode("latin-1")


class MultipartReader:
    """Reads the bodies of the parts one by one."""

    def __init__(self, read: Callable[[int], bytes], boundary: bytes) -> None:
        """``read``: up to so many bytes as they come; b"" at the end."""
        self._read, self._boundary = read, boundary
        self._buffer = bytearray()

    def next(self) -> bytes | None:
        """The next part's body; None: the end.

        Raises: MultipartError: headers or a body beyond every size.
        """
        start = self._find(self._boundary, 0)
        if start < 0:
            return None
        del self._buffer[: start + len(self._boundary)]
        # The separator's own line, then headers up to an empty line, with either kind of line end.
        while (end := self._header_end()) < 0:
            if len(self._buffer) > _HEADERS_MAX:
                raise MultipartError("the headers of a picture do not end")
            if not self._fill():
                return None
        headers, self._buffer = bytes(self._buffer[:end]), self._buffer[end:]
        length = _LENGTH.search(headers)
        return self._counted(int(length[1])) if length else self._until_boundary()

    def _header_end(self) -> int:
        ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := self._buffer.find(mark)) >= 0]
        return min(ends) if ends else -1

    def _counted(self, length: int) -> bytes | None:
        if length > PART_BYTES_MAX:
            raise MultipartError(f"a picture of {length} bytes")
        while len(self._buffer) < length:
            if not self._fill():
                return None
        body, self._buffer = bytes(self._buffer[:length]), self._buffer[length:]
        return body

    def _until_boundary(self) -> bytes | None:
        end = self._find(self._boundary, 0)
        if end < 0:
            return None
        body, self._buffer = bytes(self._buffer[:end]), self._buffer[end:]
        return body.rstrip(b"\r\n")

    def _find(self, mark: bytes, start: int) -> int:
        while (at := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark))
            if len(self._buffer) > PART_BYTES_MAX:
                raise MultipartError("a picture does not end")
            if not self._fill():
                return -1
        return at

    def _fill(self) -> bool:
        more = self._read(_READ_BYTES)
        self._buffer += more
        return bool(more)
