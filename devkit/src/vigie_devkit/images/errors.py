"""What can go wrong with images: one sentence each, with what to do, as the dev kit's other errors are."""

from __future__ import annotations

from collections.abc import Iterable

from vigie.plurals import counted
from vigie_devkit.local.errors import Exit, LocalError


class ImageError(LocalError):
    """Base of what `./vigie images` reports; exit code 1 unless stated otherwise."""


class NoSuchImageError(ImageError):
    exit_code = Exit.USAGE

    def __init__(self, what: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {what}; there are {', '.join(known)}")


class ContainerEngineError(ImageError):
    """No container engine answers."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(
            f"no container engine answers ('{program} info': {reason}); start Docker, set DOCKER_HOST, pass --engine, "
            "or set VIGIE_ENGINE_START to a command that starts one"
        )


class EngineCommandError(ImageError):
    def __init__(self, words: list[str], said: str) -> None:
        super().__init__(f"'{' '.join(words)}' failed: {said}")


class WheelsError(ImageError):
    """The host's pip cannot bring what a lock pins."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, lock: str, said: str) -> None:
        super().__init__(
            f"pip cannot download what {lock} pins: {said}; check pip's index, proxy and CA settings, "
            "or pass --in-build to let the build stage's pip ask an index"
        )


class NotBuiltError(ImageError):
    def __init__(self, reference: str) -> None:
        super().__init__(f"image {reference} is not on this engine; run './vigie images build' (or 'load') first")


class CheckFailedError(ImageError):
    def __init__(self, count: int) -> None:
        super().__init__(f"{counted(count, 'finding')}: see above; fix the Dockerfile or the lock")


class BadReferenceError(ImageError):
    exit_code = Exit.USAGE

    def __init__(self, what: str, got: str, expected: str) -> None:
        super().__init__(f"'{got[:100]}' is not a valid {what}: expected {expected}")


class ComposeError(ImageError):
    """Compose is missing, or did not do what it was told."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, words: str, said: str) -> None:
        super().__init__(f"'{words}' failed: {said}")
