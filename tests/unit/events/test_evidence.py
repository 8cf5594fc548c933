"""Which events get a picture or a clip, and which frames are samples."""

from __future__ import annotations

import itertools
from typing import Literal

import msgspec
import pytest

from support.walks import detection, frame, walks
from vigie.contracts.disagreement import Disagreement
from vigie.contracts.events import ModelDrift, Phase
from vigie.contracts.keep import KeepClip, KeepHeld, KeepItem, KeepPicture, OfSample
from vigie.events.camera import CameraEvents
from vigie.events.evidence import Chooser, Clip, EvidenceRule, EvidenceSettings
from vigie.events.sampling import Sampler, Sampling
from vigie.events.settings import CameraRules, EventSettings, Line, Zone

GATE = [(0.25, 0.0), (0.75, 0.0), (0.75, 1.0), (0.25, 1.0)]


def across(at_s: float) -> tuple[float, float] | None:
    return (80.0 * at_s, 200.0) if at_s < 8 else None


def asked(rules: dict[str, EvidenceRule], camera: CameraRules | None = None, **settings: object) -> list[KeepItem]:
    """What is asked for while one person walks across the picture in 8 s."""
    chooser = Chooser()
    chooser.configure(EvidenceSettings(rules=rules, **settings))
    events = CameraEvents(EventSettings(), camera or CameraRules(zones={"gate": Zone(points=GATE)}))
    kept = []
    for item in walks(12, a=across):
        kept += chooser.choose(item, events.observe(item) or [], item.captured_ns / 1e9)
    return kept


def test_nothing_is_kept_without_a_rule() -> None:
    assert asked({}) == []


def test_an_entry_gets_the_picture_of_its_frame_with_what_was_in_it() -> None:
    [picture] = asked({"gate": EvidenceRule(types=["zone"], picture="both")})
    assert isinstance(picture, KeepPicture)
    assert picture.about is not None
    assert (picture.about.type, picture.about.phase, picture.about.zone, picture.about.label) == (
        "zone", "new", "gate", "person",
    )  # fmt: skip
    assert picture.trace == picture.about.key.rpartition("/")[2]
    assert picture.styles == ("boxes", "plain")
    assert [one.track for one in picture.boxes] == ["a"]
    assert picture.hold is None


def test_an_object_gets_its_best_picture_when_it_is_gone() -> None:
    kept = asked({"all": EvidenceRule(types=["object"])}, CameraRules())
    pictures, held = kept[:-1], kept[-1]
    assert isinstance(held, KeepHeld)
    assert held.about is not None
    assert (held.hold, held.about.phase) == ("a", "end")
    assert all(isinstance(one, KeepPicture) and one.hold == "a" and one.about is None for one in pictures[1:])
    # Cut off by the edge when it was new, whole a moment later; then no better one comes.
    assert 1 <= len(pictures) <= 3


def test_a_better_sight_is_asked_for_and_a_slightly_better_one_is_not() -> None:
    chooser = Chooser()
    chooser.configure(EvidenceSettings(rules={"all": EvidenceRule(types=["object"])}))
    events = CameraEvents(EventSettings(confirm_seconds=0.0), CameraRules())
    counts = []
    for n, score in enumerate([0.5, 0.52, 0.5, 0.5, 0.9, 0.9]):
        item = frame(n * 0.5, [detection("a", 300, 200, score=score)])
        counts.append(len(chooser.choose(item, events.observe(item) or [], n * 0.5)))
    assert counts == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        (EvidenceRule(), 3),
        (EvidenceRule(severity="alert"), 1),
        (EvidenceRule(cameras=["yard"]), 0),
        (EvidenceRule(labels=["nut"]), 0),
        (EvidenceRule(places=["door"]), 1),
        (EvidenceRule(places=["gate"], labels=["person"], cameras=["dock"]), 1),
        (EvidenceRule(types=["presence", "missing"]), 0),
    ],
    ids=["all", "alerts", "another camera", "another class", "a line", "a zone", "types"],
)
def test_a_rule_chooses_by_type_severity_camera_class_and_place(rule: EvidenceRule, count: int) -> None:
    camera = CameraRules(
        zones={"gate": Zone(points=GATE)}, lines={"door": Line(points=[(0.5, 0), (0.5, 1)], alert="both")}
    )
    kept = asked({"one": rule}, camera)
    # Of an object the end counts: what is held before it belongs to no event yet.
    told = [one.about for one in kept if one.about is not None]
    assert sum(not (one.type == "object" and one.phase == "new") for one in told) == count


def test_two_rules_give_one_picture_and_the_longer_clip() -> None:
    rules = {
        "a": EvidenceRule(types=["zone"], clip=Clip(before_seconds=2, after_seconds=9)),
        "b": EvidenceRule(types=["zone"], clip=Clip(before_seconds=8, after_seconds=1), picture="none"),
    }
    picture, clip = asked(rules)
    assert isinstance(picture, KeepPicture)
    assert isinstance(clip, KeepClip)
    assert (clip.before_s, clip.after_s) == (8, 9)


def test_per_hour_bounds_events_and_alerts_come_on_top() -> None:
    chooser = Chooser()
    chooser.configure(EvidenceSettings(rules={"all": EvidenceRule(types=["zone"])}, per_hour=2))
    camera = CameraRules(
        zones={"gate": Zone(points=GATE, settle_seconds=0.0), "yard": Zone(points=GATE, alert="enter")}
    )
    events, kept = CameraEvents(EventSettings(), camera), []
    for n in range(60):
        item = frame(n * 2.0, [detection(f"t{n}", 320, 200)])
        kept += chooser.choose(item, events.observe(item) or [], n * 2.0)
    assert sum(one.about.severity == "event" for one in kept) == 2
    assert sum(one.about.severity == "alert" for one in kept) == 0  # a stay of one frame is not settled
    assert chooser.dropped["dock"] == 58


def test_the_same_event_has_the_same_name_whenever_it_is_told() -> None:
    rules = {"gate": EvidenceRule(types=["zone"])}
    assert [one.name for one in asked(rules)] == [one.name for one in asked(rules)]
    # An object when it is new and when it is gone, and its stay in the zone.
    assert len({one.name for one in asked({"all": EvidenceRule()})}) == 3


def sampled(settings: Sampling, scores: list[float], *, step_s: float = 1.0) -> list[KeepPicture]:
    sampler = Sampler()
    sampler.configure(settings)
    found = []
    for n, score in enumerate(scores):
        item = frame(n * step_s, [detection("a", 300, 200, score=score)])
        if (one := sampler.choose(item, n * step_s)) is not None:
            found.append(one)
    return found


def test_a_frame_of_low_confidence_is_a_sample_and_the_next_one_is_not_before_its_time() -> None:
    found = sampled(Sampling(low_confidence=(0.25, 0.5), every_seconds=10), [0.9] * 5 + [0.4] * 12)
    assert [one.seq for one in found] == [5000, 15000]
    assert found[0].sample is not None
    assert (found[0].sample.reasons, found[0].sample.model) == (("low_confidence",), "parts/1")
    assert found[0].styles == ("plain",)


def test_samples_are_bounded_per_day_and_a_clock_that_is_set_back_gives_no_more() -> None:
    settings = Sampling(random_share=1.0, per_day=3, every_seconds=0)
    assert len(sampled(settings, [0.9] * 10)) == 3
    assert len(sampled(settings, [0.9] * 4, step_s=86_400)) == 4
    sampler = Sampler()
    sampler.configure(settings)
    days = ["2026-11-28", "2026-11-28", "2026-11-28", "2026-11-27", "2026-11-29"]
    got = [
        sampler.choose(msgspec.structs.replace(frame(n, []), captured_at=f"{day}T10:00:00Z"), n) is not None
        for n, day in enumerate(days)
    ]
    assert got == [True, True, True, False, True]


def test_a_random_share_is_that_share_and_the_same_frames_every_time() -> None:
    settings = Sampling(random_share=0.05, per_day=100_000, every_seconds=0)
    found = sampled(settings, [0.9] * 4000, step_s=0.1)
    assert 140 <= len(found) <= 260
    assert [one.seq for one in found] == [one.seq for one in sampled(settings, [0.9] * 4000, step_s=0.1)]


def test_frames_are_samples_while_the_model_drifts_on_their_camera_and_not_afterwards() -> None:
    def told(phase: Phase, what: Literal["scores", "classes"]) -> ModelDrift:
        return ModelDrift(
            key=f"event/{what}/{phase}", id="d", phase=phase, camera="dock", at="2026-11-28T10:00:00Z",
            started_at="2026-11-28T10:00:00Z", seconds=0.0, model="parts/1", what=what, psi=0.4, limit=0.25,
        )  # fmt: skip

    sampler = Sampler()
    sampler.configure(Sampling(drift=True, every_seconds=0))
    frames = itertools.count()

    def reasons(camera: str = "dock") -> tuple[str, ...] | None:
        n = next(frames)
        one = sampler.choose(frame(n, [], camera=camera), n)
        return None if one is None or one.sample is None else one.sample.reasons

    assert reasons() is None
    sampler.hear(told("new", "scores"))
    sampler.hear(told("new", "classes"))
    assert reasons() == ("drift",)
    assert reasons("yard") is None
    sampler.hear(told("end", "scores"))
    assert reasons() == ("drift",)
    sampler.hear(told("end", "classes"))
    assert reasons() is None


def test_frames_in_which_two_models_disagree_are_samples_with_what_both_saw_within_the_same_number_per_day() -> None:
    other = (detection("a", 100, 200, label="forklift"),)

    def told(n: int) -> Disagreement:
        one = frame(n, [detection("a", 300, 200)])
        return Disagreement(
            camera=one.camera, seq=one.seq, trace=one.trace, at=one.captured_at, model=one.model,
            found=tuple(one.detections), other=other, blur=((0.0, 0.0, 5.0, 5.0),),
        )  # fmt: skip

    sampler = Sampler()
    sampler.configure(Sampling(low_confidence=(0.25, 0.5), every_seconds=0, per_day=2))
    assert sampler.disagree(told(1), 1.0) is None, "nobody asks for them"
    sampler.configure(Sampling(low_confidence=(0.25, 0.5), disagreement=True, every_seconds=0, per_day=2))
    asked = sampler.disagree(told(2), 2.0)
    assert asked is not None
    assert asked.sample == OfSample(model="parts/1", reasons=("disagreement",), other=other)
    assert (asked.seq, asked.trace, asked.boxes, asked.blur) == (
        2000, "dock-0badc0de-2000", tuple(told(2).found), ((0.0, 0.0, 5.0, 5.0),),
    )  # fmt: skip
    assert sampler.choose(frame(3, [detection("a", 300, 200, score=0.3)]), 3.0) is not None
    assert sampler.disagree(told(4), 4.0) is None, "the day's two are taken"
    sampler.configure(Sampling(disagreement=True, every_seconds=10, cameras=["yard"]))
    assert sampler.disagree(told(100_000), 100_000.0) is None, "another camera"


def test_a_range_that_nothing_is_in_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="the lower score first"):
        msgspec.convert({"low_confidence": [0.5, 0.25]}, type=Sampling)
