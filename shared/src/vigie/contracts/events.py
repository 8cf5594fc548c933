"""What sync tells the cloud instead of boxes: facts about objects, zones, lines and cameras, and counts per interval.

Every item has ``key``, which is the same whenever the same fact is told again: consumers drop doubles by it. ``id``
is the same in all items about one thing (``phase`` new, update, end); what has no duration is told once, as ``end``.
``at`` is when it happened (UTC), ``trace`` the frame that showed it; upstream it is absent where ``key`` ends with it.
``severity`` is what the twin says of the rule.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Phase = Literal["new", "update", "end"]
Severity = Literal["event", "alert"]
Direction = Literal["forward", "backward"]


class Occurrence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What all events have. ``started_at``: when what it tells of began; ``seconds``: how long it has lasted."""

    key: str
    id: str
    phase: Phase
    severity: Severity = "event"
    camera: str
    trace: str = ""
    at: str
    started_at: str
    seconds: float


class Best(msgspec.Struct, frozen=True):
    """The frame in which the object was seen best so far: large, sure, and not cut off by the picture's edge."""

    trace: str
    at: str
    score: float
    box_xyxy: tuple[float, float, float, float]


class Stay(msgspec.Struct, frozen=True, omit_defaults=True):
    """One stay in a zone; without ``left_at`` it goes on."""

    zone: str
    entered_at: str
    seconds: float
    left_at: str | None = None


class ObjectEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="object"):
    """An object: seen for long enough, again after a while or as another class, and gone. ``id`` is its track.

    ``label``: of most of its sights, weighted by their scores; ``score``: the highest of that label. ``path``: where
    the middle of its lower edge was, in shares of the picture, thinned out. ``frame_hw``: what boxes are pixels of.
    ``box_xyxy``: where it is; when it was seen best, and its path, follow with ``update`` and ``end``.
    ``top_speed``: in metres per second over a second, where the camera's ground is calibrated.
    """

    label: str
    score: float
    frame_hw: tuple[int, int]
    box_xyxy: tuple[float, float, float, float] | None = None
    best: Best | None = None
    path: tuple[tuple[float, float], ...] = ()
    stays: tuple[Stay, ...] = ()
    top_speed: float | None = None


class ZoneEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="zone"):
    """One stay of an object in a zone: ``new`` it entered, ``update`` it loiters or is too fast, ``end`` it left.

    ``inside``: objects that are in the zone after this, of the classes that the zone is for. ``speed``: in metres per
    second, over the last second, where the camera's ground is calibrated.
    """

    zone: str
    track: str
    label: str
    inside: int
    loitering: bool = False
    speeding: bool = False
    speed: float | None = None


class LineEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="line"):
    """An object crossed a line. ``forward``: from the left to the right of who walks from its first point on.

    ``speed``: as in ZoneEvent.
    """

    line: str
    track: str
    label: str
    direction: Direction
    speed: float | None = None


class PresenceEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="presence"):
    """Something is in a zone (``new``), and nothing any longer (``end``)."""

    zone: str


class MissingEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="missing"):
    """Fewer objects are in a zone than belong there (``new``, an alert), and again as many (``end``).

    An end without them all: the zone was changed, its schedule is over, or the camera gives no frames.
    """

    zone: str
    inside: int
    expected: int


class ZoneCount(msgspec.Struct, frozen=True):
    """Of one class in one interval. ``most``: inside at the same time; ``stay_seconds``: all stays that ended."""

    entered: int = 0
    left: int = 0
    most: int = 0
    stay_seconds: float = 0.0


class LineCount(msgspec.Struct, frozen=True):
    """Crossings of one class in one interval."""

    forward: int = 0
    backward: int = 0


class Aggregate(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="aggregate"):
    """Counts of one camera over an interval that ends with ``at``; ``objects``: by class, each when it was new."""

    frames: int
    detections: int
    objects: dict[str, int] = {}
    zones: dict[str, dict[str, ZoneCount]] = {}
    lines: dict[str, dict[str, LineCount]] = {}


class Omitted(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="omitted"):
    """Items that were not sent, because more waited than the twin's ``outbox`` lets; they became these counts.

    ``priority``: of the items; ``kinds``: how many of each type and phase (``zone/end``), boxes as ``frame``;
    ``labels``: of their objects. From the first of them (``started_at``) to the last (``at``).
    """

    priority: str
    items: int
    kinds: dict[str, int]
    labels: dict[str, int] = {}


class CheckEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="test"):
    """Asked for by ``send_test_event``: the way to the cloud works. Nothing was seen."""

    text: str = ""


class EvidenceEvent(Occurrence, frozen=True, kw_only=True, omit_defaults=True, tag="evidence"):
    """A picture or a clip of an event is at ``url``, which has no token: whoever reads it needs rights of their own.

    ``id`` is the event's, ``about`` its ``key``. ``at``: when the picture, or the clip's first frame, was captured.
    ``verified``: the account was asked afterwards what it has, or checked the whole by its MD5.
    """

    about: str
    kind: Literal["snapshot", "clip"]
    url: str
    content_type: str
    bytes: int
    sha256: str
    label: str | None = None
    zone: str | None = None
    verified: bool = True


class _OfCamera(Occurrence, frozen=True, kw_only=True, omit_defaults=True):
    """About a camera itself, told by the camera module. No frame shows it, so ``trace`` is empty."""

    trace: str = ""


class CameraDown(_OfCamera, frozen=True, kw_only=True, omit_defaults=True, tag="camera-down"):
    """A camera gives no frames: ``new``, or ``update`` (for another cause, or because it was degraded before).

    ``cause``: one word of a closed set, None for what is none of them; ``reason``: a sentence for people.
    """

    cause: str | None = None
    reason: str | None = None


class CameraDegraded(_OfCamera, frozen=True, kw_only=True, omit_defaults=True, tag="camera-degraded"):
    """Frames come, but they are not what they should be: frozen, black and the like. The rest as in CameraDown."""

    cause: str | None = None
    reason: str | None = None


class CameraUp(_OfCamera, frozen=True, kw_only=True, omit_defaults=True, tag="camera-up"):
    """Good frames: the first since the module began, or again after ``seconds``, which is the whole outage.

    ``cause``, ``reason``: what was told of the outage last. ``losses``: how often the camera was lost during it.
    """

    cause: str | None = None
    reason: str | None = None
    losses: int = 0


class CameraChanged(_OfCamera, frozen=True, kw_only=True, omit_defaults=True, tag="camera-changed"):
    """The stream is another one than before; or the camera left the twin during an outage, which ends with it."""

    what: Literal["size", "codec", "removed"]
    before: str | None = None
    after: str | None = None


class _OfModel(Occurrence, frozen=True, kw_only=True, omit_defaults=True):
    """About a model, told by the inference module. No frame shows it, so ``trace`` is empty."""

    trace: str = ""
    model: str


class ModelUpdate(_OfModel, frozen=True, kw_only=True, omit_defaults=True, tag="model-update"):
    """A release that the twin asked for, in another ``state`` than before; ``end``: committed, rejected or rolled_back.

    ``camera`` is empty: it is about all of them. ``rollout``: the id of the twin's entry. ``reason``: a sentence.
    """

    version: str
    state: str
    rollout: str = ""
    reason: str = ""


class ModelDrift(_OfModel, frozen=True, kw_only=True, omit_defaults=True, tag="model-drift"):
    """What a camera shows is no longer what it was in the first days (``new``), and is again (``end``).

    ``what``: the distribution of scores or of classes. ``psi``: its population stability index; ``limit``: above which
    that is told. ``model``: name, version and digest.
    """

    what: Literal["scores", "classes"]
    psi: float
    limit: float


class ModelThrottled(_OfModel, frozen=True, kw_only=True, omit_defaults=True, tag="model-throttled"):
    """Less is inferred than asked, to spare the machine (``new``), more or less of it (``update``), all (``end``).

    ``camera`` is empty: it is about all of them. ``level``: 0 (nothing is held back) to 4. ``rate``: share of the
    frames that is inferred. ``causes``: words of a closed set; ``reason``: a sentence for people.
    """

    level: int
    rate: float
    causes: tuple[Literal["temperature", "slowed", "power", "battery", "objective"], ...] = ()
    reason: str = ""


ModelEvent = ModelUpdate | ModelDrift | ModelThrottled
CameraEvent = CameraDown | CameraDegraded | CameraUp | CameraChanged
EventItem = (
    ObjectEvent
    | ZoneEvent
    | LineEvent
    | PresenceEvent
    | MissingEvent
    | Aggregate
    | Omitted
    | CheckEvent
    | EvidenceEvent
    | CameraEvent
    | ModelEvent
)
