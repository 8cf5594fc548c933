"""Frames and their truth: the same in any order, on any processor, and in agreement with each other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from vigie.synthetic import LABELS, open_scene
from vigie.synthetic.scene import HARD_SHOT_FRAMES

# Two scenes and the three shots of the hard split, at fixed frames.
FINGERPRINT = """
import hashlib
from vigie.synthetic import open_scene
digest = hashlib.sha256()
for url, frames in (
    ("synthetic://conveyor?seed=1", (0, 77)),
    ("synthetic://conveyor?seed=5&fps=15&size=320x240", (3,)),
    ("synthetic://conveyor?seed=7&difficulty=hard", (10, 100, 190)),
):
    scene = open_scene(url)
    for index in frames:
        digest.update(scene.render(index).tobytes())
        digest.update(repr(scene.truth(index)).encode())
print(digest.hexdigest())
"""
SLOW_PATHS = {
    "OPENCV_IPP": "disabled",
    "OPENCV_CPU_DISABLE": "SSE4_1,SSE4_2,AVX,FP16,AVX2,FMA3,AVX512-SKX",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
}


def fingerprint(**environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_pixels_and_truth_are_the_same_whatever_vector_unit_computes_them() -> None:
    assert fingerprint() == fingerprint(**SLOW_PATHS)


def test_a_frame_does_not_depend_on_which_frames_were_asked_for_before() -> None:
    url = "synthetic://conveyor?seed=4&size=320x240"
    walked = open_scene(url)
    in_order = [hashlib.sha256(walked.render(index)).hexdigest() for index in range(40)]
    for index in (39, 0, 20, 7):
        jumped = open_scene(url)
        assert hashlib.sha256(jumped.render(index)).hexdigest() == in_order[index]
        assert jumped.truth(index) == walked.truth(index)


def test_rendering_into_a_given_array_writes_every_pixel_of_it() -> None:
    scene = open_scene("synthetic://conveyor?seed=2&size=320x240")
    out = np.full((240, 320, 3), 251, np.uint8)
    assert scene.render(5, out) is out
    assert np.array_equal(out, open_scene("synthetic://conveyor?seed=2&size=320x240").render(5))


@pytest.mark.parametrize("shape", [(240, 320), (320, 240, 3), (240, 320, 4)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(240, 320, 3\) uint8"):
        open_scene("synthetic://conveyor?size=320x240").render(0, np.empty(shape, np.uint8))


def test_other_seeds_show_other_belts_and_other_parts() -> None:
    frames = [open_scene(f"synthetic://conveyor?seed={seed}&size=320x240").render(0) for seed in range(4)]
    for left in range(4):
        for right in range(left):
            assert np.abs(frames[left].astype(int) - frames[right]).mean() > 5


def test_the_belt_moves_and_the_same_second_is_seen_at_any_rate() -> None:
    slow, fast = (open_scene(f"synthetic://conveyor?seed=3&fps={fps}") for fps in (10, 30))
    assert slow.truth(10) == fast.truth(30)
    assert slow.truth(0) != slow.truth(10)


@pytest.mark.parametrize("url", ["synthetic://conveyor?seed=11", "synthetic://conveyor?seed=11&difficulty=hard"])
def test_truth_is_what_the_pixels_show(url: str) -> None:
    """Each part is painted in a colour of its own and laid down by the code that draws frames: the box of a colour's
    pixels is the truth, found without the code that finds it."""
    scene = open_scene(url)
    for index in (0, 60, HARD_SHOT_FRAMES + 30, 2 * HARD_SHOT_FRAMES + 5):
        shot, within = scene.shot(index)
        painted = shot.placed(within)
        for number, thing in enumerate(painted, start=1):
            thing.sprite.colour[...] = np.where(thing.sprite.mask, number, 0)[..., None]
            thing.sprite.through[...] = np.where(thing.sprite.mask, 0, 128)[..., None]
        shot._strip[...] = 0
        shot._rail[...] = 0
        frame = np.empty((*scene.size_hw, 3), np.uint8)
        shot.compose_into(frame, within)
        expected = []
        for number, thing in enumerate(painted, start=1):
            ys, xs = np.nonzero(frame[..., 0] == number)
            if thing.label is not None and len(ys) >= 0.2 * thing.sprite.mask.sum():
                box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
                expected.append((thing.label, box, pytest.approx(1 - len(ys) / thing.sprite.mask.sum())))
        truth = scene.truth(index)
        assert [(t.label, t.box_xyxy, t.occlusion) for t in truth] == expected
        assert truth


def test_the_part_is_really_where_truth_says_it_is() -> None:
    """Not only flat paint: in the lit frame, the pixels of an unhidden part differ from the belt without it."""
    scene = open_scene("synthetic://conveyor?seed=6")
    shot, within = scene.shot(30)
    lit, bare = (np.empty((*scene.size_hw, 3), np.uint8) for _ in range(2))
    shot.compose_into(lit, within)
    shot._lay_belt(bare, shot._left(within))
    changed = np.abs(lit.astype(int) - bare).max(axis=2) > 12
    for truth in scene.truth(30):
        left, top, right, bottom = truth.box_xyxy
        assert changed[top:bottom, left:right].mean() > 0.15, truth


def test_boxes_lie_in_the_frame_and_every_class_appears() -> None:
    seen: set[str] = set()
    for seed in range(6):
        scene = open_scene(f"synthetic://conveyor?seed={seed}&size=480x360")
        for index in range(0, 300, 60):
            for truth in scene.truth(index):
                left, top, right, bottom = truth.box_xyxy
                assert 0 <= left < right <= 480
                assert 0 <= top < bottom <= 360
                assert 0.0 <= truth.occlusion <= 0.8 + 1e-9
                assert max(right - left, bottom - top) <= truth.size_px
                seen.add(truth.label)
    assert seen == set(LABELS)


def test_parts_that_are_nearly_hidden_are_told_only_on_request() -> None:
    scene = open_scene("synthetic://conveyor?seed=7&difficulty=hard")
    everything = {index: scene.truth(index, min_visible=0.0) for index in range(0, 60, 10)}
    for index, all_parts in everything.items():
        assert [t for t in all_parts if t.occlusion <= 0.8] == scene.truth(index)
    assert any(t.occlusion > 0.8 for parts in everything.values() for t in parts)


def test_a_negative_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered from 0"):
        open_scene("synthetic://conveyor").render(-1)
