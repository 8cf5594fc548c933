"""All modules as one picture: the newest status of each, rates between statuses, the last minutes, what happened."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from vigie.contracts import names
from vigie.contracts.demand import ModuleStatus
from vigie.contracts.detections import StageTimings
from vigie.histogram import quantile
from vigie_viewer import counters
from vigie_viewer.asking import FrameRates
from vigie_viewer.timeline import Event, compare
from vigie_viewer.warmth import Warmth, hottest

HISTORY_S = 900.0
EVENTS_MAX = 300
# The delays that are shown are those of the last minute.
DELAYS_OVER_S = 60.0
# A module that has not answered for this long is shown as away. Two questions, and a little more.
AWAY_S = 5.5
AWAY_UNWATCHED_S = 40.0
_STAGES = {
    names.CAMERA: "vigie_frames_captured_total",
    names.PREPROCESS: "vigie_frames_preprocessed_total",
    names.INFERENCE: "vigie_frames_inferred_total",
    names.SYNC: "vigie_items_committed_total",
}
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class _Seen:
    status: ModuleStatus
    at: float
    schema: dict[str, Any] | None = None
    per_second: float = 0.0
    by_camera: dict[str, float] = field(default_factory=dict)
    dropped: dict[str, float] = field(default_factory=dict)
    cpu: float | None = None
    away: bool = False
    told: bytes = b""


class Overview:
    """Lives on the event loop. ``tell`` sends JSON text to every open page; set it before anything happens."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        warmth: Callable[[], Warmth | None] = hottest,
    ) -> None:
        """``wall``: seconds since 1970, for people."""
        self._warmth = warmth
        self.tell: Callable[[str], None] = lambda _text: None
        self._clock, self._wall = clock, wall
        self._modules: dict[str, _Seen] = {}
        self._history: deque[list[float | None]] = deque()
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._timings: StageTimings | None = None
        # Whether the viewer itself reaches the hub, and since when; None: it has not yet.
        self._linked: bool | None = None
        self._linked_at = clock()
        # Buckets of sync's delays, oldest first.
        self._delays: deque[tuple[float, dict[str, float]]] = deque()

    @property
    def rates(self) -> FrameRates:
        captured, inferred = (self._modules.get(name) for name in (names.CAMERA, names.INFERENCE))
        return FrameRates(captured.by_camera if captured else {}, inferred.by_camera if inferred else {})

    @property
    def lacks_schemas(self) -> bool:
        return any(name not in self._modules or self._modules[name].schema is None for name in names.FLOW)

    def take(self, status: ModuleStatus) -> None:
        """A module answered."""
        now, at = self._clock(), self._at()
        before = self._modules.get(status.module)
        seen = _Seen(status, now, status.schema or (before.schema if before else None))
        if before is not None:
            seen.told = before.told
            if before.away:
                self._happened([Event(at, "back", "good", status.module, {})])
            self._happened(compare(before.status, status, at))
            _count(before, seen)
        if status.module == names.SYNC:
            self._take_delays(before, status, now)
        self._modules[status.module] = seen
        self._tell_module(seen)

    def _take_delays(self, before: _Seen | None, status: ModuleStatus, now: float) -> None:
        if before is None or before.status.boot != status.boot:
            # What is before the first status is not of the last minute, unless the module began within it.
            self._delays.clear()
            if before is not None:
                self._delays.append((now, {}))
        self._delays.append(
            (now, counters.by_label(status.metrics, "vigie_delay_seconds_bucket", "le", stage=names.SYNC))
        )
        while now - self._delays[0][0] > DELAYS_OVER_S:
            self._delays.popleft()

    def link(self, *, up: bool) -> None:
        """Whether the viewer's own connection to the hub is up; told to the pages as soon as it changes."""
        if up == self._linked or (self._linked is None and not up):
            return
        first, self._linked, self._linked_at = self._linked is None, up, self._clock()
        if not first:
            self._happened(
                [Event(self._at(), "hub_back" if up else "hub_away", "good" if up else "bad", names.VIEWER, {})]
            )
            self._tell_as("numbers", self._numbers())

    def timed(self, timings: StageTimings) -> None:
        """A picture's own times; the newest says enough."""
        self._timings = timings

    def beat(self, *, watched: bool) -> None:
        """Called once per question: notice who is away, keep a point of history, tell the numbers."""
        now = self._clock()
        for seen in self._modules.values():
            # Who is asked through a hub that does not answer says nothing, and may be well.
            silent_s = now - max(seen.at, self._linked_at) if self._linked is not False else 0.0
            if not seen.away and silent_s > (AWAY_S if watched else AWAY_UNWATCHED_S):
                seen.away = True
                self._happened([Event(self._at(), "away", "bad", seen.status.module, {})])
                self._tell_module(seen)
        point = self._point()
        self._history.append(point)
        while self._history and self._wall() - float(self._history[0][0] or 0) > HISTORY_S:
            self._history.popleft()
        self._tell_as("numbers", {"point": point, **self._numbers()})

    def greeting(self) -> list[str]:
        """Everything, for a page that has just been opened."""
        modules = [_text("module", _described(seen)) for seen in self._modules.values()]
        return [
            *modules,
            _text("history", {"points": list(self._history)}),
            _text("events", {"events": list(self._events), "all": True}),
            _text("numbers", self._numbers()),
        ]

    def note(self, event: Event) -> None:
        """Something that the viewer itself did."""
        self._happened([event])

    def status(self, module: str) -> ModuleStatus | None:
        seen = self._modules.get(module)
        return seen.status if seen else None

    def _happened(self, events: Any) -> None:
        new = list(events)
        if new:
            self._events.extend(new)
            self._tell_as("events", {"events": new, "all": False})

    def _numbers(self) -> dict[str, Any]:
        sync = self._metrics(names.SYNC)
        return {
            "stages": {name: round(seen.per_second, 2) for name, seen in self._modules.items()},
            "cameras": {
                name: {"captured": round(value, 2), "inferred": round(self.rates.inferred.get(name, 0.0), 2)}
                for name, value in self.rates.captured.items()
            },
            "dropped": self._dropped(),
            "latency_ms": self._delay_ms(),
            "timings": self._timings,
            "backlog": counters.total(sync, "vigie_ledger_backlog"),
            "backlog_bytes": counters.total(sync, "vigie_ledger_bytes"),
            "warmth": self._warmth(),
            "upstream": counters.total(sync, "vigie_upstream_messages_total"),
            "hub": {
                name: bool(counters.total(seen.status.metrics, "vigie_hub_connected"))
                for name, seen in self._modules.items()
            }
            | ({} if self._linked is None else {names.VIEWER: self._linked}),
        }

    def _at(self) -> int:
        return round(self._wall() * 1000)

    def _dropped(self) -> list[dict[str, Any]]:
        """By module and reason: all of this start, and how many per second just now."""
        found = []
        for name, seen in self._modules.items():
            for reason, value in counters.by_label(seen.status.metrics, "vigie_items_dropped_total", "reason").items():
                if value:
                    rate = round(seen.dropped.get(reason, 0.0), 2)
                    found.append({"module": name, "reason": reason, "total": value, "per_s": rate})
        return sorted(found, key=lambda one: -one["total"])

    def _point(self) -> list[float | None]:
        """Time, captured and committed per second, delay p50 and p95 in ms, backlog, dropped per second."""
        camera, sync = self._modules.get(names.CAMERA), self._modules.get(names.SYNC)
        metrics = sync.status.metrics if sync else {}
        p50_ms, p95_ms = self._delay_ms() if sync and not sync.away else (None, None)
        return [
            round(self._wall(), 1),
            round(camera.per_second, 2) if camera and not camera.away else None,
            round(sync.per_second, 2) if sync and not sync.away else None,
            p50_ms,
            p95_ms,
            counters.total(metrics, "vigie_ledger_backlog") if sync else None,
            round(sum(sum(seen.dropped.values()) for seen in self._modules.values()), 2),
        ]

    def _delay_ms(self) -> tuple[float | None, float | None]:
        """p50 and p95 from capture to the ledger, of the last minute; None without a frame in it."""
        if not self._delays:
            return None, None
        (_, before), (_, after) = self._delays[0], self._delays[-1]
        grown = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
        found = quantile(grown, 0.5), quantile(grown, 0.95)
        return tuple(None if value is None else round(value * 1e3, 3) for value in found)  # type: ignore[return-value]

    def _metrics(self, module: str) -> dict[str, float]:
        seen = self._modules.get(module)
        return seen.status.metrics if seen else {}

    def _tell_module(self, seen: _Seen) -> None:
        described = _described(seen)
        encoded = _encoder.encode({**described, "uptime_s": 0})
        if encoded != seen.told:
            seen.told = encoded
            self._tell_as("module", described)

    def _tell_as(self, kind: str, body: dict[str, Any]) -> None:
        self.tell(_text(kind, body))


def _count(before: _Seen, seen: _Seen) -> None:
    if before.status.boot != seen.status.boot:
        return
    seconds = seen.at - before.at
    name = _STAGES.get(seen.status.module)
    if name is not None:
        per_camera = [counters.by_label(one.status.metrics, name, "camera") for one in (before, seen)]
        seen.by_camera = counters.rates(per_camera[0], per_camera[1], seconds)
        seen.per_second = sum(seen.by_camera.values())
    drops = [counters.by_label(one.status.metrics, "vigie_items_dropped_total", "reason") for one in (before, seen)]
    seen.dropped = counters.rates(drops[0], drops[1], seconds)


def _described(seen: _Seen) -> dict[str, Any]:
    status = seen.status
    return {
        "module": status.module,
        "version": status.version,
        "boot": status.boot,
        "uptime_s": status.uptime_s,
        "away": seen.away,
        "missing": status.missing,
        "notes": status.notes,
        "twin_version": status.twin_version,
        "desired": status.desired,
        "reported": status.reported,
        "schema": seen.schema,
    }


def _text(kind: str, body: dict[str, Any]) -> str:
    return _encoder.encode({"kind": kind, **body}).decode()
