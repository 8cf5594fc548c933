"""Errors of messages, methods, endpoints and threads of a module."""

from __future__ import annotations

from vigie.errors.base import AboutError, PermanentError, TransientError


class MessageRefusedError(AboutError, PermanentError):
    """A message that does not decode: counted, reported, dropped; it never ends a module."""


class EndpointError(PermanentError):
    """/metrics, /healthz and /readyz cannot be served, or nobody could be told where."""

    def __init__(self, where: str, reason: str, variable: str) -> None:
        """``where``: address or file; ``variable``: the environment variable to change."""
        super().__init__(f"cannot serve health and metrics at {where}: {reason}; set {variable} to another one")


class HubUnavailableError(TransientError):
    """The hub did not take a message or answer a request in time; it was not acknowledged, so send it again."""


class HubCallHungError(TransientError):
    """A call into the hub client did not return in time; the client is replaced by a new one."""

    def __init__(self, call: str, deadline_s: float) -> None:
        """``call``: what was asked of the client."""
        super().__init__(f"{call}: no answer from the hub client within {deadline_s:g} s; it is replaced by a new one")


class MessageTooLargeError(PermanentError):
    """A message above what the hub takes (body and all properties): it would be acknowledged and dropped there."""

    def __init__(self, output: str, size_bytes: int, limit_bytes: int) -> None:
        """Sizes by the hub's arithmetic."""
        super().__init__(
            f"output '{output}': one item makes {size_bytes} bytes, the hub takes {limit_bytes}; send less"
        )


class MethodRefusedError(PermanentError):
    """A direct method that a handler refuses: 400 bad request, 404 no such thing, 409 wrong state, 503 try again."""

    def __init__(self, status: int, reason: str) -> None:
        """``reason`` goes to the caller."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ThreadDiedError(PermanentError):
    """A worker thread ended by an exception: the process ends too, for its supervisor to restart it."""

    def __init__(self, name: str, cause: BaseException) -> None:
        """``name`` of the thread; ``cause`` is chained."""
        super().__init__(f"thread '{name}' ended by {type(cause).__name__}: {cause}; the process ends to be restarted")
