"""A live camera that is lost, freezes, goes dark, says nothing or sends damaged pictures."""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.kit.processes import decoder_fault
from vigie_devkit.faults.signs import TwinSays, rises
from vigie_devkit.faults.system import FaultError, Setup, System

WEB = Setup(name="web-camera", web=True)
_FRIGATE = "Frigate: no frame for 20 s and ffmpeg is started again; a frozen picture is never noticed"


@makes_put
def doing(system: System, mode: str) -> Iterator[None]:
    """The camera does ``mode`` until the end."""
    if system.camera is None:
        raise FaultError("this run has no live camera")
    system.camera.mode = mode
    try:
        yield
    finally:
        system.camera.mode = "well"


def camera_faults() -> list[Fault]:
    failing = (rises("camera", "vigie_camera_failures_total"),)
    return [
        Fault(name="camera-lost", what="a camera refuses every connection for 15 s", put=doing("lost"), hold_s=15.0,
              back_within_s=30.0, signs=(*failing, TwinSays("camera", "failed")), setup=WEB, peers=_FRIGATE),
        Fault(name="camera-silent", what="a camera keeps its connection and sends nothing for 20 s",
              put=doing("silent"), hold_s=20.0, back_within_s=30.0, signs=failing, setup=WEB, peers=_FRIGATE),
        Fault(name="camera-frozen", what="a camera sends the same picture for 25 s", put=doing("frozen"), hold_s=25.0,
              back_within_s=15.0, signs=(rises("camera", "vigie_camera_frozen"),), setup=WEB, peers=_FRIGATE),
        Fault(name="camera-black", what="a camera sends black pictures for 10 s", put=doing("black"), hold_s=10.0,
              back_within_s=15.0, setup=WEB, peers="none"),
        Fault(name="camera-damaged", what="every second picture of a camera is cut off", put=doing("damaged"),
              hold_s=8.0, back_within_s=20.0, signs=(rises("camera", "vigie_frames_damaged_total"),), setup=WEB,
              peers="none"),
        decoder_fault(WEB),
    ]  # fmt: skip
