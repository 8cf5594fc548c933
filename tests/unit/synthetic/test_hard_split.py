"""The hard split is hard, in the three ways that it says, and always the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from vigie.synthetic import open_scene
from vigie.synthetic.scene import HARD_SHOT_FRAMES
from vigie.synthetic.truth import HARD_OCCLUSION, HARD_SIZE_PX

SEEDS = (1, 2, 3)


def hard_frames(regime: str, size: str = "640x480") -> Iterator[tuple[Any, ...]]:
    for seed in SEEDS:
        scene = open_scene(f"synthetic://conveyor?seed={seed}&difficulty=hard&size={size}")
        for index in range(0, 6 * HARD_SHOT_FRAMES, 45):
            if scene.regime(index) == regime:
                yield scene, index


def test_every_part_of_an_occluded_shot_is_hidden_by_thirty_percent_or_more() -> None:
    occlusions = [truth.occlusion for scene, index in hard_frames("occluded") for truth in scene.truth(index)]
    assert len(occlusions) > 50
    assert min(occlusions) >= HARD_OCCLUSION


@pytest.mark.parametrize("size", ["640x480", "1280x720"])
def test_no_part_of_a_small_shot_is_longer_than_sixteen_pixels(size: str) -> None:
    sizes = [truth.size_px for scene, index in hard_frames("small", size) for truth in scene.truth(index)]
    assert len(sizes) > 50
    assert max(sizes) <= HARD_SIZE_PX
    assert min(sizes) >= 8


def test_a_blurred_shot_has_lost_its_fine_detail() -> None:
    """Share of edge energy that the lens leaves, noise taken off by comparing at half the size."""

    def sharpness(frame: np.ndarray) -> float:
        return float(
            cv2.Laplacian(cv2.resize(frame, None, fx=1 / 2, fy=1 / 2, interpolation=cv2.INTER_AREA), cv2.CV_64F).std()
        )

    ratios = []
    for scene, index in hard_frames("blurred"):
        clean = np.empty((*scene.size_hw, 3), np.uint8)
        shot, within = scene.shot(index)
        shot.compose_into(clean, within)
        ratios.append(sharpness(scene.render(index)) / sharpness(clean))
    assert len(ratios) > 5
    assert max(ratios) < 0.8


def test_each_shot_has_a_belt_of_its_own_and_comes_back_the_same() -> None:
    scene = open_scene("synthetic://conveyor?seed=1&difficulty=hard&size=320x240")
    first = scene.render(0).copy()
    later = scene.render(3 * HARD_SHOT_FRAMES)
    assert scene.regime(3 * HARD_SHOT_FRAMES) == scene.regime(0)
    assert np.abs(first.astype(int) - later).mean() > 5
    assert np.array_equal(scene.render(0), first)
