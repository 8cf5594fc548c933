"""What the locks pin, fetched by the host's own pip: its mirror, proxy, CA and credentials stay on the host.

The build stage gets the files and asks no index, so a build needs no network and nothing of the host's settings.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from vigie_devkit.images.catalogue import ARCHITECTURES, Image
from vigie_devkit.images.engine import last_line
from vigie_devkit.images.errors import WheelsError
from vigie_devkit.local.errors import StateFolderError
from vigie_devkit.local.paths import CHECKOUT

TOOLS_LOCK = "devkit/requirements/build.lock"
# The base image's: Debian 12 has Python 3.11 and glibc 2.36; a wheel for an older glibc runs there too.
PYTHON_VERSION = "3.11"
_GLIBC_MINORS = range(36, 4, -1)
# Published as source only; deploy/image/assemble.py says more.
SOURCE_ONLY = "paho-mqtt"
COMPLETE = ".complete"


def wheels_for(image: Image, cache: Path) -> list[Path]:
    """The files for one image, downloaded once per lock and processor.

    Raises: WheelsError: pip cannot bring them; StateFolderError: the cache cannot be written.
    """
    return [path for lock in (TOOLS_LOCK, image.lock) for path in _fetch(lock, image.architecture, cache)]


def _fetch(lock: str, architecture: str, cache: Path) -> list[Path]:
    text = (CHECKOUT / lock).read_bytes()
    folder = cache / f"{architecture}-{hashlib.sha256(text).hexdigest()[:16]}"
    if not (folder / COMPLETE).exists():
        _download(lock, architecture, folder)
    return sorted(path for path in folder.iterdir() if path.name != COMPLETE)


def _download(lock: str, architecture: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(folder, error) from error
    command = [
        sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "--no-deps", "--only-binary", ":all:", "--no-binary", SOURCE_ONLY, "--python-version", PYTHON_VERSION,
        "--implementation", "cp", "--abi", f"cp{PYTHON_VERSION.replace('.', '')}", "--abi", "abi3", "--abi", "none",
        *platform_arguments(ARCHITECTURES[architecture]), "--dest", str(folder), "-r", str(CHECKOUT / lock),
    ]  # fmt: skip
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"}
    )
    if ended.returncode != 0:
        raise WheelsError(lock, last_line(ended.stderr))
    (folder / COMPLETE).touch()


def platform_arguments(machine: str) -> Iterator[str]:
    """``--platform`` for every tag that the base image accepts: pip does not expand newer ones to older by itself."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC_MINORS]
    for tag in (*tags, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}", "any"):
        yield from ("--platform", tag)
