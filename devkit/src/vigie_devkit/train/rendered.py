"""Rendered training pictures: many short looks at many belts, so that nothing of one belt can be learned by heart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.synthetic import SceneSpec, open_scene
from vigie_devkit.accuracy.scene_truth import frame_truth
from vigie_devkit.train.dataset import Picture

# Far from what people type: the scenes of tests and demonstrations are never trained on.
TRAIN_SEED = 1_000_000_000
VALID_SEED = 2_000_000_000

LOOKS_PER_SCENE = 6
FRAMES_BETWEEN_LOOKS = 61  # parts have moved on by most of the picture
HARD_SHOTS_PER_SCENE = 6
FRAMES_PER_HARD_SHOT = 90
HARD_SHARE = 0.5


def rendered_pictures(
    seed: int, *, size_wh: tuple[int, int] = (640, 480), hard: bool | None = None
) -> Iterator[Picture]:
    """Endless; the same for the same seed. ``hard``: only the hard split, or none of it; ``None`` mixes."""
    chance = np.random.default_rng(seed)
    scene_seed = seed
    while True:
        scene_seed += 1
        is_hard = bool(chance.random() < HARD_SHARE) if hard is None else hard
        spec = SceneSpec(seed=scene_seed, size_wh=size_wh, difficulty="hard" if is_hard else "normal")
        yield from _looks(spec, int(chance.integers(0, FRAMES_BETWEEN_LOOKS)))


def _looks(spec: SceneSpec, offset: int) -> Iterator[Picture]:
    scene = open_scene(spec)
    if spec.difficulty == "hard":
        indices = [shot * FRAMES_PER_HARD_SHOT + offset for shot in range(HARD_SHOTS_PER_SCENE)]
    else:
        indices = [look * FRAMES_BETWEEN_LOOKS + offset for look in range(LOOKS_PER_SCENE)]
    for index in indices:
        truth = frame_truth(scene, index)
        yield Picture(scene.render(index), truth.boxes_xyxy, truth.class_ids, truth.ignore)
