"""Where a container is: addresses of its blobs, in either of the two forms that Azure has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_MS = ".blob.core."


@dataclass(frozen=True, slots=True)
class BlobContainer:
    """``base``: without a slash at its end; ``account`` as keys are made for; ``host`` as secrets are for."""

    base: str
    host: str
    account: str

    @classmethod
    def of(cls, url: str) -> BlobContainer:
        """`https://ACCOUNT.blob.core.windows.net/CONTAINER` or `http://HOST:PORT/ACCOUNT/CONTAINER`.

        Raises: ValueError: it is neither.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        _ = parts.port  # raises for what is not a number
        if not host:
            raise ValueError("url: has no host")
        segments = parts.path.strip("/").split("/")
        if len(segments) == 2:
            return cls(url.rstrip("/"), host, segments[0])
        if _MS not in host:
            raise ValueError("url: expected https://ACCOUNT.blob.core.windows.net/CONTAINER or .../ACCOUNT/CONTAINER")
        return cls(url.rstrip("/"), host, host.partition(".")[0])

    def blob(self, path: str) -> str:
        """The blob's address, without any token."""
        return f"{self.base}/{quote(path, safe='/')}"
