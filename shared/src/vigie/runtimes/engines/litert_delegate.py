"""Loads a delegate of LiteRT, a vendor's shared library: from folders that the device allows, or it says why not.

Source: LiteRT's ``external_delegate_interface.h``, and the ``load_delegate`` of its Python package.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from vigie.errors import ProviderError
from vigie.runtimes.providers.litert import DELEGATE_OPTIONS
from vigie.runtimes.runtime_libraries import first_line

VARIABLE = "VIGIE_DELEGATES"
FOLDERS = ("/usr/lib", "/usr/local/lib", "/opt")
"""Where a delegate may lie if the variable says nothing; a library is a program, and models bring none."""

_ELF = b"\x7fELF"
_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_WORD_BITS = {1: 32, 2: 64}


def load_delegate(litert: ModuleType, model: str, options: Mapping[str, str]) -> Any:
    """The delegate that a candidate's options name. Call it in a process that may crash: this runs the vendor's code.

    Raises: ProviderError: no such file, not allowed, for another processor, or the library refuses; with its path.
    """
    path = options.get("library", "")
    reason, remedy = why_not(path, allowed_folders(os.environ), platform.machine())
    if reason:
        raise ProviderError(model, f"delegate {path or '(none)'}: {reason}", remedy)
    own = {name.removeprefix(DELEGATE_OPTIONS): value for name, value in options.items() if name != "library"}
    try:
        return litert.load_delegate(path, own)
    except AttributeError as error:
        reason = "has no tflite_plugin_create_delegate: it is not a delegate"
        raise ProviderError(model, f"delegate {path}: {reason}", "name the vendor's delegate library") from error
    except (OSError, ValueError, RuntimeError) as error:
        # LiteRT's own first line only repeats the path; what the library reported follows.
        own_words = "\n".join(str(error).splitlines()[1:]).strip()
        said = first_line(RuntimeError(own_words)) if own_words else first_line(error)
        raise ProviderError(model, f"delegate {path}: {said}", "see docs/hardware.md, LiteRT's delegates") from error


def allowed_folders(environment: Mapping[str, str]) -> tuple[str, ...]:
    named = environment.get(VARIABLE, "")
    return tuple(filter(None, named.split(":"))) or FOLDERS


def why_not(path: str, folders: tuple[str, ...], machine: str) -> tuple[str, str]:
    """Why the library at ``path`` is not loaded, and what to do; two empty texts if it may be.

    Links are followed first: what a link points to has to lie in an allowed folder.
    """
    if not path.startswith("/"):
        return "is not an absolute path", "name the library by its whole path in the container"
    try:
        real = Path(path).resolve(strict=True)
        head = _head(real)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return f"cannot be read: {why}", "put it into the image, or bind it into the container"
    if not any(real.is_relative_to(Path(folder).resolve()) for folder in folders):
        where = "" if str(real) == path else f" (it is {real})"
        return f"lies outside {', '.join(folders)}{where}", f"{VARIABLE} on the device names more folders"
    built_for = machine_of(head)
    if not built_for:
        return "is not a shared library (no ELF header)", "name the vendor's delegate library"
    bits = _WORD_BITS.get(head[4])
    if built_for != machine or bits != 64:  # every processor that Vigie has wheels for
        return f"is built for {built_for}, {bits} bits; this is {machine}", "install the vendor's library for this one"
    return "", ""


def machine_of(head: bytes) -> str:
    """The processor that a library is built for, of its first 20 bytes; empty: it is not an ELF file."""
    if len(head) < 20 or not head.startswith(_ELF):  # where e_machine ends
        return ""
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return _MACHINES.get(number, f"processor {number}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(20)
