"""What can go wrong before and around a local run: one sentence each, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path


class Exit(IntEnum):
    """Exit codes of every command (docs/cli.md)."""

    OK = 0
    NO_FLOW = 1
    USAGE = 2
    ENVIRONMENT = 3
    SOURCE = 4
    MODEL = 5


class LocalError(Exception):
    """One sentence for people; `cli.main` prints it and ends with ``exit_code``."""

    exit_code = Exit.NO_FLOW


class StateFolderError(LocalError):
    exit_code = Exit.ENVIRONMENT

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"cannot write {folder} ({error.strerror}); make it writable, or set VIGIE_HOME to a folder that is"
        )


class StrangeFolderError(LocalError):
    """A folder that Vigie did not make: it is not written to, and never deleted."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{folder} holds things that Vigie did not make ({', '.join(names)}); set VIGIE_HOME to a folder that is "
            "empty or does not exist"
        )


class FrameFolderError(LocalError):
    """The folder for frames is not this user's alone: what is read from it could be anybody's."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder} {reason}; remove it, or set VIGIE_FRAMES to a folder of your own")


class RunNameError(LocalError):
    exit_code = Exit.USAGE

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' is not a valid run name: letters, digits, '.', '-' and '_', at most 40, no dot first"
        )


class NoRunError(LocalError):
    exit_code = Exit.ENVIRONMENT


class HubFailedError(LocalError):
    """The hub did not come up; the text is the hub's own last sentence."""

    exit_code = Exit.ENVIRONMENT


class ModuleFailedError(LocalError):
    """A module ends again and again before a single frame flowed."""

    exit_code = Exit.NO_FLOW


class SourceError(LocalError):
    exit_code = Exit.SOURCE


class NoModelError(LocalError):
    exit_code = Exit.MODEL


class UsageError(LocalError):
    exit_code = Exit.USAGE


class CamerasError(LocalError):
    """``vigie cameras`` cannot ask: the command line, or this machine."""

    def __init__(self, text: str, exit_code: Exit) -> None:
        super().__init__(text)
        self.exit_code = exit_code
