"""Errors of downloads and catalogues."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError, TransientError


class CatalogueError(PermanentError):
    """A catalogue of models that cannot be read, or that lacks the model asked for."""

    slug: ClassVar[str] = "catalogue"

    def __init__(self, file: str, reason: str) -> None:
        """``file``: its path; ``reason``: what was found and what to do."""
        super().__init__(f"catalogue {file}: {reason}")
        self.file = file
        self.reason = reason


class DownloadError(TransientError):
    """A download that was interrupted or found nobody; the next one goes on where it stopped."""

    slug: ClassVar[str] = "download"

    def __init__(self, url: str, reason: str) -> None:
        """``url``: without secrets; ``reason``: what happened."""
        super().__init__(f"{url}: {reason}; run it again, it goes on where it stopped")
        self.url = url
        self.reason = reason


class DownloadRefusedError(PermanentError):
    """A download that cannot become the file that was asked for, or has no place to go."""

    slug: ClassVar[str] = "download-refused"

    def __init__(self, what: str, reason: str) -> None:
        """``what``: the URL without secrets, or the folder; ``reason``: what was found and what to do."""
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason
