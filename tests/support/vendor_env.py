"""Environments for vendors' packages: never a dependency of ours, another licence, run as processes of their own.

They are made under the folder that VIGIE_VENDOR_ENV names, once for each content of a requirements file, and kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

SETUP_TIMEOUT_S, RUN_TIMEOUT_S = 1500, 2700
UNSET = "VIGIE_VENDOR_ENV is not set: vendors' packages run in an environment of their own only (docs/models.md)"


def vendor_python(requirements: Path, *, probe: str) -> Path:
    """The Python of the environment that ``requirements`` describes, made on first use; skips where it cannot be.

    Args: requirements: pinned, complete: pip follows no dependencies. probe: a statement that must run in it.
    """
    folder = os.environ.get("VIGIE_VENDOR_ENV")
    if not folder:
        pytest.skip(UNSET)
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = Path(folder).absolute() / f"{requirements.stem}-{digest}"
    python = home / "bin" / "python"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:  # test files run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            _must_run(
                [python, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "-r", requirements]
            )
            _must_run([python, "-c", probe])
            (home / "complete").touch()
    return python


def run_vendor(python: Path, script: Path, *arguments: Path | str) -> str:
    """Run a script of tests/vendor/processes to its end and return what it printed; its failure is the test's."""
    environment = {
        key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }
    # Settings and caches of the vendor stay beside its environment, out of the user's home.
    environment |= {"YOLO_CONFIG_DIR": str(python.parents[1]), "XDG_CACHE_HOME": str(python.parents[1] / "cache")}
    done = subprocess.run(
        [python, script, *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{script.name}: {done.stderr[-3000:]}"
    return done.stdout


def _must_run(command: list[Path | str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SETUP_TIMEOUT_S)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        pytest.skip(f"the environment of the vendor's packages cannot be made here: {lines[-1][:300]}")
