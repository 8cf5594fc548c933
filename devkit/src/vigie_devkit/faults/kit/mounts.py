"""A mount that hangs: who asks it for a file waits in the kernel (state D), where not even ``kill -9`` ends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie_devkit.faults.bad_disk import available
from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.kit.disks import disk_is
from vigie_devkit.faults.pictures import conveyor_pictures
from vigie_devkit.faults.signs import TwinSays, rises
from vigie_devkit.faults.system import FPS, Setup, System

_FOLDER = "mount"
HUNG = Setup(name="hung-mount", bad_disks=(_FOLDER,))
_CAMERA = "shelf"
_STARTS_WITHIN_S = 90.0


@contextmanager
def _camera_on_it(system: System) -> Iterator[None]:
    """A second camera shows pictures of the mount, which then hangs."""
    folder = system.run.folder / _FOLDER / "pictures"
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(conveyor_pictures(count=24)):
        (folder / f"{number:03}.jpg").write_bytes(picture)
    settings = {"source": str(folder), "pace": "realtime", "fps": FPS, "loop": True}
    system.patch("camera", {"cameras": {_CAMERA: settings}})
    try:
        system.wait_until(
            lambda: system.metric("camera", "vigie_frames_captured_total", {"camera": _CAMERA}),
            "the camera on the mount gives frames",
            _STARTS_WITHIN_S,
        )
        with disk_is("hang")(system):
            yield
    finally:
        system.patch("camera", {"cameras": {_CAMERA: None}})


@contextmanager
def _model_on_it(system: System) -> Iterator[None]:
    """The twin names a model on a mount that hangs; what serves goes on serving."""
    before = system.product.hub().twin("inference")["properties"]["desired"]["model"]
    folder = system.run.folder / _FOLDER / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    # Bytes alone: times and modes are the mount's own affair.
    shutil.copytree(Path(str(before["path"])), folder, copy_function=shutil.copyfile)
    try:
        with disk_is("hang")(system):
            system.patch("inference", {"model": {"path": str(folder)}})
            yield
    finally:
        system.patch("inference", {"model": before})


def mount_faults() -> list[Fault]:
    if not available():
        return []
    return [
        Fault(name="hung-mount-camera", what="a camera's files lie on a mount that hangs (state D) for 60 s",
              put=_camera_on_it, hold_s=60.0, back_within_s=15.0, flows_meanwhile=True, setup=HUNG,
              signs=(rises("camera", "vigie_camera_failures_total", camera=_CAMERA), TwinSays("camera", "failed"))),
        Fault(name="hung-mount-model", what="the twin names a model on a mount that hangs (state D) for 60 s",
              put=_model_on_it, hold_s=60.0, back_within_s=15.0, flows_meanwhile=True, setup=HUNG,
              signs=(TwinSays("inference", "does not answer"),)),
    ]  # fmt: skip
