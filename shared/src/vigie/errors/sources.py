"""Errors of camera sources and secrets."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError, TransientError


class SyntheticSourceError(PermanentError):
    """A ``synthetic://`` URL that names no scene that can be rendered."""

    slug: ClassVar[str] = "synthetic-source"

    def __init__(self, url: str, key: str, reason: str) -> None:
        """``key`` of the query (or ``scheme``, ``scene``) and what is allowed there."""
        super().__init__(
            f"{url[:200]!r}: {key}: {reason}; example: synthetic://conveyor?seed=1&fps=30&size=640x480&difficulty=normal"
        )
        self.key = key
        self.reason = reason


class SourceRefusedError(PermanentError):
    """A camera source of a kind that this version cannot open; ``source`` is shown without its secrets."""

    slug: ClassVar[str] = "source-refused"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: redacted; ``reason``: what is supported."""
        super().__init__(f"source {source[:200]!r}: {reason}")
        self.source = source
        self.reason = reason


class SourceOpenError(TransientError):
    """A camera source that does not open, or gives no picture; it is tried again with growing pauses."""

    slug: ClassVar[str] = "source-open"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: redacted; ``reason``: what happened and what to check."""
        super().__init__(f"source {source[:200]!r}: {reason}")
        self.source = source
        self.reason = reason


class SecretMissingError(TransientError):
    """A source names a secret that neither a file nor the environment holds; looked up again with each attempt."""

    slug: ClassVar[str] = "secret-missing"

    def __init__(self, name: str, folder: str) -> None:
        """``name`` of the secret, never its value; ``folder`` where its file was looked for."""
        super().__init__(
            f"secret '{name}' is not a readable file in {folder}; write {folder}/{name} with the value "
            f"and {folder}/{name}.host with the host that may get it"
        )
        self.name = name


class SecretRefusedError(TransientError):
    """A secret that this source may not have, or whose file is not one short text; tried again with each opening."""

    slug: ClassVar[str] = "secret-refused"

    def __init__(self, name: str, reason: str) -> None:
        """``name`` of the secret, never its value; ``reason`` completes 'secret NAME ...'."""
        super().__init__(f"secret '{name}' {reason}")
        self.name = name
        self.reason = reason
