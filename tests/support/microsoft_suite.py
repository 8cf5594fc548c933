"""Microsoft's e2e suite of the Python device SDK: fetched when it is to run, never kept here."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

REPOSITORY = "https://github.com/Azure/azure-iot-sdk-python"
COMMIT = "e75d1c2026eab939d5d31097fd0c22924c53abf8"  # main, 2024-07-17: the last change of the suite
FOLDERS = ("tests/e2e/iothub_e2e", "dev_utils")
_FETCH_S = 300


def suite_folder(home: Path) -> Path:
    """The suite's files, taken from the clone that VIGIE_E2E_SUITE names, else from GitHub; skips without either."""
    clone = os.environ.get("VIGIE_E2E_SUITE")
    repository = Path(clone) if clone else _fetched(home / "clone")
    packed = _git(repository, "archive", COMMIT, *FOLDERS)
    if packed.returncode:
        pytest.skip(f"Microsoft's e2e suite is not in {repository}: {packed.stderr.decode().strip()[-200:]}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(home, filter="data")
    return home


def _fetched(folder: Path) -> Path:
    for words in (["init", "-q", "--bare"], ["fetch", "-q", "--depth", "1", REPOSITORY, COMMIT]):
        folder.mkdir(parents=True, exist_ok=True)
        done = _git(folder, *words)
        if done.returncode:
            pytest.skip(f"Microsoft's e2e suite cannot be fetched here: {done.stderr.decode().strip()[-200:]}")
    return folder


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=_FETCH_S, check=False)
