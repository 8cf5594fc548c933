"""What a camera costs upstream per hour: every frame in a message, boxes in batches, events and counts.

``python -m vigie_devkit.bench.upstream_bytes [--clip FILE --model FILE]``. Real frames, model, tracker and rules; time
is that of the frames, so a clip is not waited for. The clip is played again and again. A message is its body and
what sync gives it as properties, counted as IoT Hub meters it: in pieces of 4,096 bytes.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts import envelope
from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie.contracts.envelope import Envelope, Schema
from vigie.contracts.events import EventItem, ObjectEvent
from vigie.events.brief import PATIENCE, Brief, upstream_form
from vigie.events.rules import Rules
from vigie.events.settings import EventSettings
from vigie.ledger.batch import GZIP, compressed
from vigie.ledger.packing import message_bytes, pieces
from vigie.library import open_model
from vigie.synthetic import open_scene
from vigie.vision.tracking import WEAK_SCORE, Tracker, TrackerSettings

# Of a unit S1 of IoT Hub: metered messages per day.
UNIT_PER_DAY = 400_000
BATCH_ITEMS, BATCH_S = 50, 1.0
_BEGUN = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)


class UpstreamCost(msgspec.Struct, frozen=True):
    """Of one way to tell it. ``units``: of IoT Hub S1, which one camera takes all day."""

    way: str
    messages: int
    mb_per_hour: float
    pieces_per_hour: int
    units: float
    fewer: float = 1.0


def clip_frames(path: Path, count: int) -> tuple[float, Iterator[NDArray[np.uint8]]]:
    """Frames per second, and ``count`` frames of the clip played again and again."""
    import cv2

    capture = cv2.VideoCapture(str(path))
    fps = float(capture.get(cv2.CAP_PROP_FPS)) or 30.0

    def frames() -> Iterator[NDArray[np.uint8]]:
        for _ in range(count):
            good, frame_bgr = capture.read()
            if not good:
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                good, frame_bgr = capture.read()
                if not good:
                    raise SystemExit(f"{path} gives no frames")
            yield np.asarray(frame_bgr, np.uint8)

    return fps, frames()


def items(frames: Iterator[NDArray[np.uint8]], fps: float, model: Any, camera: str) -> Iterator[DetectionsItem]:
    """As inference sends them: tracked, those that reach the card's score."""
    score_min = model.card.thresholds.score_min
    tracker = Tracker(TrackerSettings(good_score=score_min))
    for seq, frame_bgr in enumerate(frames):
        found = model(frame_bgr, score_min=min(score_min, WEAK_SCORE))
        numbers = tracker.update(found.boxes_xyxy, found.scores, found.class_ids, seq / fps)
        detections = [
            msgspec.structs.replace(one, track=f"0123abcd-{number}" if number else None)
            for one, number in zip(found, numbers.tolist(), strict=True)
            if one.score >= score_min
        ]
        at = (_BEGUN + timedelta(seconds=seq / fps)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        yield DetectionsItem(
            camera, seq, f"{camera}-0123abcd-{seq}", at, int((1000 + seq / fps) * 1e9),
            (frame_bgr.shape[0], frame_bgr.shape[1]), model.card.name, detections,
            StageTimings(2.345, 9.876, 7.654, 10.9),
        )  # fmt: skip


class UpstreamCount:
    """Counts the messages of one way; items wait for a batch as in sync."""

    def __init__(
        self,
        way: str,
        schema: Schema,
        most: int,
        wait_s: float = BATCH_S,
        *,
        gzip: bool = False,
        objects: bool = True,
        brief_s: float = EventSettings().brief_seconds,
    ) -> None:
        """``most``: items of a message that waits ``wait_s`` at most. ``objects``, ``brief_s``: settings."""
        self._way, self._schema, self._most, self._wait_s, self._gzip = way, schema, most, wait_s, gzip
        self._objects, self._brief = objects, Brief(brief_s)
        self._properties = importlib.import_module("vigie_sync.properties").properties_of
        self._waiting: list[Any] = []
        self._due_s = 0.0
        self._messages = self._bytes = self._pieces = 0

    def tell(self, events: list[EventItem], at_s: float) -> None:
        """What comes of one frame, or of the end."""
        wanted = [event for event in events if self._objects or not isinstance(event, ObjectEvent)]
        for event in [*self._brief.sift(wanted, at_s), *self._brief.due(at_s)]:
            self.add(upstream_form(event), at_s, PATIENCE if isinstance(event, ObjectEvent) else 1)

    def add(self, item: Any, at_s: float, patience: int = 1) -> None:
        due_s = at_s + patience * self._wait_s
        self._due_s = min(self._due_s, due_s) if self._waiting else due_s
        self._waiting.append(item)
        self.due(at_s)

    def due(self, at_s: float) -> None:
        if self._waiting and (len(self._waiting) >= self._most or at_s >= self._due_s):
            self.send()

    def send(self) -> None:
        if not self._waiting:
            return
        self._messages += 1
        body = msgspec.json.encode(Envelope(str(self._schema), "sync", "0123abcd", self._messages, self._waiting))
        properties = self._properties(body, f"0123abcd-{self._messages}", "/device/sync")
        length = min(len(body), len(compressed(body))) if self._gzip else len(body)
        size = message_bytes(length, properties, f"0123abcd-{self._messages}", GZIP if self._gzip else "utf-8")
        self._bytes += size
        self._pieces += pieces(size)
        self._waiting = []

    def cost(self, seconds: float) -> UpstreamCost:
        self.send()
        pieces = self._pieces * 3600 / seconds
        return UpstreamCost(
            self._way, self._messages, round(self._bytes * 3600 / seconds / 1e6, 3), round(pieces),
            round(pieces * 24 / UNIT_PER_DAY, 4),
        )  # fmt: skip


def measure(
    frames: Iterator[NDArray[np.uint8]], fps: float, model: Any, camera: str, seconds: float
) -> list[UpstreamCost]:
    """The ways for the same frames."""
    naive = UpstreamCount("one message per frame", envelope.TELEMETRY, 1)
    batches = UpstreamCount("boxes in batches", envelope.TELEMETRY, BATCH_ITEMS)
    ways = [
        UpstreamCount("every event at once", envelope.EVENTS, BATCH_ITEMS, brief_s=0.0),
        UpstreamCount("events and counts", envelope.EVENTS, BATCH_ITEMS),
        UpstreamCount("the same, gzip", envelope.EVENTS, BATCH_ITEMS, gzip=True),
        UpstreamCount("10 s in a message", envelope.EVENTS, 1000, 10.0),
        UpstreamCount("10 s, gzip", envelope.EVENTS, 1000, 10.0, gzip=True),
        UpstreamCount("zones, lines, counts", envelope.EVENTS, BATCH_ITEMS, objects=False),
    ]
    rules = Rules()
    for item in items(frames, fps, model, camera):
        at_s = item.seq / fps
        naive.add(item, at_s)
        batches.add(item, at_s)
        found = rules.observe(item, at_s) or []
        for way in ways:
            way.tell(found, at_s)
            way.due(at_s)
    last = rules.close()
    for way in ways:
        way.tell(last, seconds)
    costs = [one.cost(seconds) for one in (naive, batches, *ways)]
    return [msgspec.structs.replace(one, fewer=round(costs[0].mb_per_hour / one.mb_per_hour, 1)) for one in costs]


def main() -> int:
    """Print a table per scene."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clip", type=Path, help="a video file, with --model")
    parser.add_argument("--model", default="shared/models/conveyor-parts", help="bundle (default: what ships) or .onnx")
    parser.add_argument("--seconds", type=float, default=180.0, help="seconds of the scene (default 180)")
    parser.add_argument("--fps", type=float, default=30.0, help="frames per second of the synthetic belt (default 30)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.clip is not None:
        fps = clip_frames(args.clip, 0)[0]
        _, frames = clip_frames(args.clip, round(args.seconds * fps))
        name = args.clip.stem
    else:
        fps, name = args.fps, "conveyor"
        scene = open_scene(f"synthetic://conveyor?seed=1&fps={fps:g}")
        frames = (scene.render(index) for index in range(round(args.seconds * fps)))
    with open_model(args.model) as model:
        costs = measure(frames, fps, model, name[:32], args.seconds)
    if args.json:
        print(json.dumps(msgspec.to_builtins(costs)))
        return 0
    print(f"{name}, {fps:g} frames/s, {args.seconds:g} s, model {args.model}")
    for one in costs:
        print(
            f"{one.way:22} {one.messages:7} messages {one.mb_per_hour:9.2f} MB/h {one.pieces_per_hour:8} pieces/h "
            f"{one.units:7.3f} units {one.fewer:7.1f} x fewer bytes"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
