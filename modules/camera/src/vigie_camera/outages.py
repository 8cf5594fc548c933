"""From what a camera looks like now to what is worth telling: down, degraded, up again, changed. Pure.

A camera that comes and goes tells one outage that ends when it stays: nobody reads seventeen messages a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from vigie.contracts.events import CameraChanged, CameraDegraded, CameraDown, CameraEvent, CameraUp, Phase
from vigie.events.moment import KEY
from vigie_camera.cause import Cause

Level = Literal["good", "degraded", "down"]

# A source that is opened again at once was hardly away.
DOWN_S = 1.0
# An outage is over when frames have been good for so long; it ended when they began to be.
CALM_S = 10.0
# Another cause of the same outage is news again after so long.
RETELL_S = 30.0


@dataclass(frozen=True, slots=True)
class CameraCondition:
    """How a camera is. ``state``: as in the twin; ``size``: as ``1920x1080``; ``codec``: back end and codec."""

    state: str
    cause: Cause | None = None
    reason: str | None = None
    size: str | None = None
    codec: str | None = None

    @property
    def level(self) -> Level | None:
        """None: nothing is known yet, it is being opened."""
        if self.state == "connecting":
            return None
        if self.state == "failed":
            return "down"
        return "degraded" if self.state == "streaming" and self.cause is not None else "good"


@dataclass(slots=True)
class _Outage:
    name: str
    began_s: float
    began_at: str
    cause: Cause | None
    reason: str | None
    told_s: float = 0.0
    losses: int = 0


class Outages:
    """Of one camera, over all its configurations. ``now_s``: monotonic; ``at``: the same time in UTC, for people."""

    def __init__(self, camera: str, boot: str, numbers: Iterator[int], now_s: float, at: str) -> None:
        """``boot`` makes keys of this start differ from those of any other, ``numbers`` from each other."""
        self._camera, self._boot, self._numbers = camera, boot, numbers
        self._began = (now_s, at)
        self._told: Level | None = None
        self._level: Level | None = None
        self._since = (now_s, at)
        self._outage: _Outage | None = None
        self._size: str | None = None
        self._codec: str | None = None

    def observe(self, condition: CameraCondition, now_s: float, at: str) -> list[CameraEvent]:
        """What is to be told now that the camera looks like ``condition``."""
        events = self._changes(condition, at)
        level = condition.level
        if level is None:
            return events
        if level != self._level:
            if self._outage is not None and level == "down":
                self._outage.losses += 1
            self._level, self._since = level, (now_s, at)
        if level == "good":
            return events + self._good(now_s)
        return events + self._bad(condition, level, now_s, at)

    def removed(self, now_s: float, at: str) -> list[CameraEvent]:
        """The camera left the twin: an outage that was told ends with it."""
        outage = self._outage
        if outage is None or self._told in (None, "good"):
            return []
        return [
            CameraChanged(
                key=self._key("camera-changed", "end"),
                id=outage.name,
                phase="end",
                camera=self._camera,
                at=at,
                started_at=outage.began_at,
                seconds=_seconds(now_s - outage.began_s),
                what="removed",
            )
        ]

    def _good(self, now_s: float) -> list[CameraEvent]:
        since_s, since_at = self._since
        outage = self._outage
        if self._told == "good":
            self._outage = None
            return []
        if self._told is None:
            # The first word after a start: a former start may have left the cloud with an outage.
            began_s, began_at = self._began
            name, cause, reason, losses = f"{self._camera}-{self._boot}", None, None, 0
        elif outage is not None and now_s - since_s >= CALM_S:
            began_s, began_at = outage.began_s, outage.began_at
            name, cause, reason, losses = outage.name, outage.cause, outage.reason, outage.losses
        else:
            return []
        self._told, self._outage = "good", None
        return [
            CameraUp(
                key=self._key("camera-up", "end"),
                id=name,
                phase="end",
                camera=self._camera,
                at=since_at,
                started_at=began_at,
                seconds=_seconds(since_s - began_s),
                cause=cause,
                reason=reason,
                losses=losses,
            )
        ]

    def _bad(self, condition: CameraCondition, level: Level, now_s: float, at: str) -> list[CameraEvent]:
        since_s, since_at = self._since
        if self._outage is None:
            name = f"{self._camera}-{self._boot}-outage-{next(self._numbers)}"
            self._outage = _Outage(
                name, since_s, since_at, condition.cause, condition.reason, losses=1 if level == "down" else 0
            )
        outage = self._outage
        if level == "down" and now_s - since_s < DOWN_S:
            return []
        phase: Phase = "new" if self._told in (None, "good") else "update"
        if level == self._told and (condition.cause == outage.cause or now_s - outage.told_s < RETELL_S):
            return []
        self._told = level
        outage.cause, outage.reason, outage.told_s = condition.cause, condition.reason, now_s
        kind, tag = (CameraDown, "camera-down") if level == "down" else (CameraDegraded, "camera-degraded")
        return [
            kind(
                key=self._key(tag, phase),
                id=outage.name,
                phase=phase,
                camera=self._camera,
                at=at,
                started_at=outage.began_at,
                seconds=_seconds(now_s - outage.began_s),
                cause=condition.cause,
                reason=condition.reason,
            )
        ]

    def _changes(self, condition: CameraCondition, at: str) -> list[CameraEvent]:
        found: list[tuple[Literal["size", "codec"], str, str]] = []
        if condition.size is not None:
            if self._size not in (None, condition.size):
                found.append(("size", str(self._size), condition.size))
            self._size = condition.size
        if condition.codec is not None:
            if self._codec not in (None, condition.codec):
                found.append(("codec", str(self._codec), condition.codec))
            self._codec = condition.codec
        return [
            CameraChanged(
                key=(key := self._key("camera-changed", "end")),
                id=key.removeprefix(KEY),
                phase="end",
                camera=self._camera,
                at=at,
                started_at=at,
                seconds=0.0,
                what=what,
                before=before,
                after=after,
            )
            for what, before, after in found
        ]

    def _key(self, tag: str, phase: str) -> str:
        return f"{KEY}{tag}/{phase}/{self._camera}-{self._boot}-{next(self._numbers)}"


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)
