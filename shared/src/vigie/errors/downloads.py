"""Errors of downloads and catalogues."""

from __future__ import annotations

from vigie.errors.base import AboutError, PermanentError, TransientError


class CatalogueError(AboutError, PermanentError):
    """A catalogue of models that cannot be read, or that lacks the model asked for."""

    text = "catalogue {subject}: {reason}"


class DownloadError(AboutError, TransientError):
    """A download that was interrupted or found nobody; the next one goes on where it stopped."""

    text = "{subject}: {reason}; run it again, it goes on where it stopped"


class DownloadRefusedError(AboutError, PermanentError):
    """A download that cannot become the file that was asked for, or has no place to go."""
