"""Errors of frames and their rings."""

from __future__ import annotations

from vigie.drop_reason import DropReason
from vigie.errors.base import AboutError, PermanentError, TransientError


class RingBusyError(TransientError):
    """Another process writes the ring: a former start that is still stopping, or two modules with one name."""

    def __init__(self, ring: str, folder: str, pid: str) -> None:
        """``pid`` as the other process numbers itself, which in a container is its own count."""
        super().__init__(
            f"ring '{ring}' in {folder} is written by process {pid or 'unknown'}; "
            "stop that process or give this run its own frame folder (VIGIE_FRAMES)"
        )


class RingNoSpaceError(PermanentError):
    """The frame folder's file system cannot hold the ring."""

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        """Both sizes in bytes, said in MiB."""
        super().__init__(
            f"frame folder {folder}: {needed_bytes / 2**20:.1f} MiB needed, {free_bytes / 2**20:.1f} MiB free; "
            "enlarge the tmpfs of the frames volume (size=...) or use fewer cameras, a lower resolution or fewer slots"
        )
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class RingRefusedError(PermanentError):
    """A ring file (or name) that this version cannot use."""

    def __init__(self, reason: str) -> None:
        """``reason`` completes 'the ring ...'."""
        super().__init__(f"the ring {reason}")
        self.reason = reason


class FrameTooLargeError(PermanentError):
    """An array that does not fit the slot (or message) it was meant for."""

    def __init__(self, where: str, what: str, needed_bytes: int, limit_bytes: int) -> None:
        """``what``: shape and dtype."""
        super().__init__(
            f"{where}: {what} needs {needed_bytes} bytes, there is room for {limit_bytes}; "
            "open the ring for this size or scale the frame down"
        )


class FrameGoneError(PermanentError):
    """The pixels that a reference names are not there any more; the item is dropped and counted by ``reason``."""

    def __init__(self, ring: str, reason: DropReason, detail: str) -> None:
        """``reason``: one of those about pixels in shared memory, or ``SPEC_MISMATCH``."""
        super().__init__(f"frame in ring '{ring[:160]}' is gone ({reason}): {detail}")
        self.reason = reason


class ImageShapeError(PermanentError):
    """An array that is no picture of the expected shape and type."""

    def __init__(self, what: str, *, expected: str, got: str) -> None:
        """``what``: which array (frame, tensor); shapes with their dtype."""
        super().__init__(f"{what}: expected {expected}, got {got}")


class PixelFormatError(AboutError, PermanentError):
    """Bytes that cannot be a frame of the format they claim, or a format that a ring does not hold."""
