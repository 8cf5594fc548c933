"""What a model sees that serves beside another goes its own way: under the camera's name and the model's.

Such a lane stands where a camera's name stands: in events, in counts of what was dropped, as key of what waits to be
sent. So counts, zones and tracks of two models are never one.
"""

from __future__ import annotations

# In no camera's name, and in no release's.
_BETWEEN = "/"


def lane_of(camera: str, beside: str) -> str:
    """``beside``: the model's name in desired property ``models``; empty: the one that serves the camera."""
    return f"{camera}{_BETWEEN}{beside}" if beside else camera


def camera_of(lane: str) -> str:
    """The camera whose frames a lane is of."""
    return lane.partition(_BETWEEN)[0]
