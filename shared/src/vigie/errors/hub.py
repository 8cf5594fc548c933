"""Errors of asking the local hub, through the REST of IoT Hub's service side."""

from __future__ import annotations

from vigie.errors.base import PermanentError, TransientError


class HubAwayError(TransientError):
    """No local hub answers where one was said to be."""


class HubAnswerError(PermanentError):
    """The local hub answered a command with an error, in the form of IoT Hub's service REST."""

    def __init__(self, status: int, error_code: int, message: str) -> None:
        """``status`` is HTTP's, ``error_code`` IoT Hub's (404103 and the like)."""
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
