"""Errors of camera sources and secrets."""

from __future__ import annotations

from vigie.errors.base import AboutError, PermanentError, TransientError


class SyntheticSourceError(PermanentError):
    """A ``synthetic://`` URL that names no scene that can be rendered."""

    def __init__(self, url: str, key: str, reason: str) -> None:
        """``key`` of the query (or ``scheme``, ``scene``) and what is allowed there."""
        super().__init__(
            f"{url[:200]!r}: {key}: {reason}; example: synthetic://conveyor?seed=1&fps=30&size=640x480&difficulty=normal"
        )


class _AboutSourceError(AboutError):
    """``source``: without its secrets; the beginning of it is shown."""

    text = "source {subject}: {reason}"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(repr(source[:200]), reason)


class SourceRefusedError(_AboutSourceError, PermanentError):
    """A camera source of a kind that this version cannot open."""


class SourceOpenError(_AboutSourceError, TransientError):
    """A camera source that does not open, or gives no picture; it is tried again with growing pauses."""


class SecretMissingError(TransientError):
    """A source names a secret that neither a file nor the environment holds; looked up again with each attempt."""

    def __init__(self, name: str, folder: str) -> None:
        """``name`` of the secret, never its value; ``folder`` where its file was looked for."""
        super().__init__(
            f"secret '{name}' is not a readable file in {folder}; write {folder}/{name} with the value "
            f"and {folder}/{name}.host with the host that may get it"
        )


class SecretRefusedError(AboutError, TransientError):
    """A secret that this source may not have, or whose file is not one short text; tried again with each opening."""

    text = "secret '{subject}' {reason}"
