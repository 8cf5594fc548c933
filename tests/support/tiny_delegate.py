"""Compiles tiny_delegate.c: a real delegate of LiteRT, small enough to be read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed (.ci/debian-packages)")


def compiled(folder: Path) -> Path:
    library = folder / "libtiny_delegate.so"
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-fvisibility=hidden"]
    subprocess.run([*command, "-shared", "-o", str(library), str(SOURCE), "-lm"], check=True)
    return library
