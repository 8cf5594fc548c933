"""Makes a run's folders ready: nothing of a killed run in the way, secrets and manifest in place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vigie_devkit.local import logfiles
from vigie_devkit.local.errors import StateFolderError
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.sources import CameraSource

# The hub's CA and keys outlive a run: making them anew costs time, and a person may have come to trust the CA.
HUB_KEEPS = ("ca", "keys.json")


def prepare(run: RunPaths, manifest: Mapping[str, Any], cameras: Sequence[CameraSource], *, keep: bool) -> None:
    """Create what the processes expect. Args: keep: go on with the state of the run before.

    Raises: StateFolderError.
    """
    try:
        if not keep:
            forget_state(run)
        else:
            forget_last_good(run)
        run.make()
        for log in run.logs.glob("*.log"):
            logfiles.begin(log)
        write_secrets(run.secrets, cameras)
        run.manifest.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StateFolderError(Path(error.filename or run.folder), error) from error


def forget_state(run: RunPaths) -> None:
    """Remove what the run before left: a run begins with the manifest and nothing else."""
    shutil.rmtree(run.modules, ignore_errors=True)
    if run.hub.is_dir():
        for path in run.hub.iterdir():
            if path.name in HUB_KEEPS:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def forget_last_good(run: RunPaths) -> None:
    """A module boots from its last good twin before the hub answers: it would open the former run's cameras."""
    for twin in run.modules.glob("*/*twin*"):
        if twin.is_file():
            twin.unlink(missing_ok=True)


def write_secrets(folder: Path, cameras: Sequence[CameraSource], *, mode: int = 0o600) -> None:
    """Two files per secret, its value and the hosts that may get it, readable by nobody else.

    ``mode``: 0640 where the camera is another user of this user's group.
    """
    forget_secrets(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: value for camera in cameras for name, value in camera.secrets.items()}
    hosts = {name: sorted({one.host for one in cameras if name in one.secrets}) for name in values}
    for name, value in [*values.items(), *((f"{name}.host", "\n".join(found)) for name, found in hosts.items())]:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)  # whatever the process's mask
            file.write(value)


def forget_secrets(folder: Path) -> None:
    """Remove the secret files: they were given for one run."""
    for path in folder.glob("*"):
        path.unlink(missing_ok=True)
