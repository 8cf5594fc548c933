"""What an operator draws and decides per camera: part of sync's twin."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Point = tuple[Share, Share]
Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Anchor = Literal["bottom", "centre"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
RULES_MAX = 32

_Classes = Annotated[list[str], Meta(min_length=1, description="Labels that it is for; absent: all.")] | None


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a rule counts, in UTC. ``end`` before ``begin`` goes over midnight; the day is that of ``begin``."""

    days: Annotated[list[Day], Meta(min_length=1, description="Days on which it begins; absent: every day.")] | None = (
        None
    )
    begin: Annotated[Clock, Meta(description="UTC, as 18:00.")] = "00:00"
    end: Annotated[Clock, Meta(description="UTC; the same as `begin`: the whole day.")] = "00:00"


class Zone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A polygon. Entering and leaving count when they have lasted ``settle_seconds``, so that nothing flickers.

    Who has left is clear of its edge by 15 % of the box's width.
    """

    points: Annotated[
        list[Point],
        Meta(min_length=3, max_length=64, description="Corners in shares of the picture, 0 to 1 from its top left."),
    ]
    classes: _Classes = None
    anchor: Annotated[
        Anchor,
        Meta(description="The point of a box that is inside or not: of what stands in view, or lies below the camera."),
    ] = "bottom"
    settle_seconds: Annotated[
        float, Meta(ge=0, le=60, description="An entry or exit counts when it has lasted so long.")
    ] = 0.3
    loiter_seconds: (
        Annotated[float, Meta(gt=0, le=86_400, description="A stay this long is loitering: an alert.")] | None
    ) = None
    presence: Annotated[bool, Meta(description="Also tell when the zone gets its first object and loses its last.")] = (
        False
    )
    absent_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="A zone is empty when nothing was in it for so long.")
    ] = 2.0
    expected: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1000,
                description="So many objects belong here: fewer for `absent_seconds` are missing, an alert.",
            ),
        ]
        | None
    ) = None
    speed_limit: (
        Annotated[
            float,
            Meta(gt=0, le=1000, description="Metres per second; faster is an alert. Needs the camera's `ground`."),
        ]
        | None
    ) = None
    alert: Annotated[
        Literal["none", "enter", "absent"], Meta(description="Which of its events are alerts, beside loitering.")
    ] = "none"
    schedule: Annotated[Schedule, Meta(description="When it counts; absent: always.")] | None = None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line that is crossed. A crossing counts when the object is 15 % of its box's width beyond it."""

    points: Annotated[
        list[Point], Meta(min_length=2, max_length=2, description="Where it begins and ends, in shares of the picture.")
    ]
    classes: _Classes = None
    anchor: Annotated[Anchor, Meta(description="The point of a box that crosses.")] = "bottom"
    alert: Annotated[
        Literal["none", "forward", "backward", "both"], Meta(description="Which crossings are alerts.")
    ] = "none"
    schedule: Annotated[Schedule, Meta(description="When it counts; absent: always.")] | None = None


class Ground(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What speeds are measured by: four points on the ground, in the picture and in metres, in the same order."""

    points: Annotated[
        list[Point], Meta(min_length=4, max_length=4, description="Where they are seen, in shares of the picture.")
    ]
    metres: Annotated[
        list[tuple[float, float]],
        Meta(min_length=4, max_length=4, description="Where they are on the ground, from any origin."),
    ]


class CameraRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Zones and lines of one camera, by name; and its ground, where speeds are wanted."""

    zones: Annotated[dict[Name, Zone], Meta(max_length=RULES_MAX, description="Zones by name.")] = {}
    lines: Annotated[dict[Name, Line], Meta(max_length=RULES_MAX, description="Lines by name.")] = {}
    ground: Annotated[Ground, Meta(description="Calibration of the ground; absent: no speeds.")] | None = None


class EventSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of the events of all cameras."""

    objects: Annotated[bool, Meta(description="Tell of each object when it is new and when it is gone.")] = True
    outages: Annotated[
        Literal["alert", "event", "off"],
        Meta(description="Severity of camera-down and camera-degraded; off: nothing is told of cameras themselves."),
    ] = "alert"
    models: Annotated[
        Literal["alert", "event", "off"],
        Meta(
            description="Severity of a model update that was rejected or rolled back, and of drift; off: nothing is "
            "told of models."
        ),
    ] = "event"
    classes: _Classes = None
    confirm_seconds: Annotated[
        float, Meta(ge=0, le=60, description="An object is new when it has been seen for so long.")
    ] = 0.3
    gone_seconds: Annotated[
        float, Meta(gt=0, le=600, description="An object is gone when it has not been seen for so long.")
    ] = 2.0
    update_seconds: Annotated[
        float, Meta(ge=1, le=86_400, description="An object that stays is told of again after so long.")
    ] = 60.0
    brief_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Upstream, an object that is gone within so long is told once, by its `end`; of one that "
            "stays, `new` goes then. 0: `new` at once. On the device it is always told at once.",
        ),
    ] = 30.0
    aggregate_seconds: Annotated[
        float, Meta(ge=1, le=86_400, description="Length of the intervals of counts; they begin at whole multiples.")
    ] = 60.0
