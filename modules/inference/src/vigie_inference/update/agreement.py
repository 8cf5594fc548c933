"""Do two models see the same in the same frames? Pure: detections in, counts and a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vigie.contracts.detections import Detection
from vigie_inference.update.release import Rollout

IOU_MIN = 0.5
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class FrameTally:
    """Objects of one frame.

    ``matched``: same place and label; ``flipped``: same place, another label; ``missing``: only the serving model's;
    ``new``: only the other's. ``score_change``: as in TrialTally.
    """

    matched: int = 0
    flipped: int = 0
    missing: int = 0
    new: int = 0
    score_change: float = 0.0


@dataclass(slots=True)
class TrialTally:
    """Of all frames of a trial. ``examples``: frames that differ, as ``camera/seq: what``.

    ``score_change``: sum over the matched objects of what the other model's score is above the serving one's.
    """

    frames: int = 0
    matched: int = 0
    flipped: int = 0
    missing: int = 0
    new: int = 0
    score_change: float = 0.0
    examples: list[str] = field(default_factory=list)

    def add(self, frame: FrameTally, where: str) -> None:
        self.frames += 1
        self.matched += frame.matched
        self.flipped += frame.flipped
        self.missing += frame.missing
        self.new += frame.new
        self.score_change += frame.score_change
        if (frame.flipped or frame.missing or frame.new) and len(self.examples) < _EXAMPLES:
            self.examples.append(
                f"{where}: {frame.matched} equal, {frame.flipped} other label, {frame.missing} missing, {frame.new} new"
            )

    @property
    def objects(self) -> int:
        """What the serving model saw."""
        return self.matched + self.flipped + self.missing

    @property
    def score_drift(self) -> float | None:
        """How much surer the other model is of what both see, on average, -1..1."""
        return self.score_change / self.matched if self.matched else None

    @property
    def agreement(self) -> float | None:
        """F1 of the new model's objects, taking the serving model's as the truth, 0..1. None: neither saw anything."""
        seen = 2 * self.matched + 2 * self.flipped + self.missing + self.new
        return None if not seen else 2 * self.matched / seen


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """``passed`` None: not enough was seen yet; ``reason`` says of what."""

    passed: bool | None
    reason: str


def compare_frame(serving: Sequence[Detection], new: Sequence[Detection]) -> FrameTally:
    """Pairs by the most overlap first, each object once; whole-frame results (classifiers) pair by their frame."""
    pairs = sorted(
        ((iou(one.box_xyxy, two.box_xyxy), i, j) for i, one in enumerate(serving) for j, two in enumerate(new)),
        key=lambda pair: (-pair[0], serving[pair[1]].label != new[pair[2]].label),
    )
    left, right = set(range(len(serving))), set(range(len(new)))
    matched = flipped = 0
    change = 0.0
    for overlap, i, j in pairs:
        if overlap < IOU_MIN:
            break
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            if serving[i].label == new[j].label:
                matched += 1
                change += new[j].score - serving[i].score
            else:
                flipped += 1
    return FrameTally(matched, flipped, len(left), len(right), change)


def iou(one: tuple[float, float, float, float], two: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (one[2] - one[0]) * (one[3] - one[1]) + (two[2] - two[0]) * (two[3] - two[1])
    return width * height / (area - width * height)


def turned(tally: TrialTally) -> TrialTally:
    """The same frames, with the other model's objects taken as the truth."""
    return replace(tally, missing=tally.new, new=tally.missing, score_change=-tally.score_change)


def judge(
    rollout: Rollout,
    tally: TrialTally,
    serving_ms: float | None,
    new_ms: float | None,
    *,
    truth: str = "the serving model",
) -> TrialVerdict:
    """Whether the trial is passed. ``serving_ms``, ``new_ms``: medians of a run, on the same frames.

    ``truth``: what to call the model that the other one is compared with.
    """
    if tally.frames < rollout.frames or tally.objects < rollout.objects:
        return TrialVerdict(
            None, f"{tally.frames} of {rollout.frames} frames and {tally.objects} of {rollout.objects} objects compared"
        )
    agreement = tally.agreement
    if agreement is not None and agreement < rollout.agreement_min:
        return TrialVerdict(
            False,
            f"agrees with {truth} to {agreement:.3f}, at least {rollout.agreement_min:g} is asked for "
            f"({tally.flipped} with another label, {tally.missing} missing, {tally.new} new)",
        )
    if serving_ms and new_ms and new_ms > rollout.slower_max * serving_ms:
        return TrialVerdict(
            False,
            f"takes {new_ms:.1f} ms per run, {truth} {serving_ms:.1f} ms; "
            f"at most {rollout.slower_max:g} times as long is allowed",
        )
    seen = "neither model saw anything" if agreement is None else f"agreement {agreement:.3f}"
    return TrialVerdict(True, f"{seen} over {tally.frames} frames")
