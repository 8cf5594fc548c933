"""The three roots of the tree: anything, what may pass by itself, and what somebody has to change."""

from __future__ import annotations

import re
from typing import ClassVar

_NEXT_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


class VigieError(Exception):
    """Base of everything that Vigie raises on purpose. ``slug``: made of the class's name where a class has no own."""

    slug: ClassVar[str] = "vigie-error"

    def __init_subclass__(cls) -> None:
        if "slug" not in vars(cls):
            cls.slug = _NEXT_WORD.sub("-", cls.__name__.removesuffix("Error")).lower()


class TransientError(VigieError):
    """May succeed if tried again without anybody changing anything."""


class PermanentError(VigieError):
    """Fails again until somebody changes something; the text says what."""


class AboutError(Exception):
    """What most errors have: the ``subject`` that they are about, and the ``reason`` (what was found, what to do)."""

    text: ClassVar[str] = "{subject}: {reason}"

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(self.text.format(subject=subject, reason=reason))
        self.subject, self.reason = subject, reason
