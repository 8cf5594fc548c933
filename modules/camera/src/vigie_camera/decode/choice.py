"""Which back end this image has: chosen when it was built, by what is installed in it."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from vigie_camera.decode.backend import Backend

BackendName = Literal["pyav", "opencv"]
_VARIABLE: Final = "VIGIE_DECODER"
_PACKAGES: Final[dict[BackendName, str]] = {"pyav": "av", "opencv": "opencv-python-headless"}


def installed_backend() -> BackendName:
    """What ``VIGIE_DECODER`` says, else PyAV where it is installed, else OpenCV.

    Raises: ValueError: the variable names no back end, or one that is not installed.
    """
    wanted = os.environ.get(_VARIABLE, "")
    if not wanted:
        return "pyav" if _version("pyav") else "opencv"
    if wanted not in get_args(BackendName):
        raise ValueError(f"{_VARIABLE} is {wanted!r}; expected one of {', '.join(get_args(BackendName))}")
    name: BackendName = "pyav" if wanted == "pyav" else "opencv"
    if _version(name) is None:
        raise ValueError(f"{_VARIABLE} is {wanted!r}, but {_PACKAGES[name]} is not installed in this image")
    return name


def load_backend(name: str) -> Backend:
    """The back end itself; loads its library. Only in a decoder's process."""
    if name == "opencv":
        from vigie_camera.decode.opencv import OpencvBackend

        return OpencvBackend()
    from vigie_camera.decode.pyav import PyavBackend

    return PyavBackend()


def _version(name: BackendName) -> str | None:
    try:
        return version(_PACKAGES[name])
    except PackageNotFoundError:
        return None
