"""Energy per frame through the running system: joules where a meter can be read, else CPU time, called an estimate."""

from __future__ import annotations

import msgspec

# Long enough that a frame more or less does not matter, short enough to follow a change.
WINDOW_S = 60.0
FRAMES_MIN = 10
ESTIMATE = "no meter can be read: CPU time of this module stands for energy, as an estimate"


class Sums(msgspec.Struct, frozen=True):
    """Since the start. ``joules``: of the whole domain, other modules and idle power included; None: no meter."""

    at_s: float
    frames: int
    cpu_s: float
    joules: float | None


class PerFrame(msgspec.Struct, frozen=True):
    """Means over ``seconds``, per inferred frame. ``joules``: None where no meter can be read: that is not zero."""

    joules: float | None
    cpu_ms: float
    frames: int
    seconds: float


def per_frame(before: Sums, now: Sums) -> PerFrame | None:
    """None: too few frames to say anything."""
    frames = now.frames - before.frames
    if frames < FRAMES_MIN:
        return None
    joules = None if now.joules is None or before.joules is None else round((now.joules - before.joules) / frames, 6)
    return PerFrame(
        joules, round((now.cpu_s - before.cpu_s) / frames * 1e3, 3), frames, round(now.at_s - before.at_s, 1)
    )


def watts(before: Sums, now: Sums) -> float | None:
    """The mean between the two; None without a meter, or when no time has passed."""
    if now.joules is None or before.joules is None or now.at_s <= before.at_s:
        return None
    return (now.joules - before.joules) / (now.at_s - before.at_s)
