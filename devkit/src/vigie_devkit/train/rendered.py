"""Rendered training pictures: many short looks at many belts, so that nothing of one belt can be learned by heart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np

from vigie.synthetic import SceneSpec, open_scene
from vigie.synthetic.layout import Style
from vigie.synthetic.shot import Regime, Shot
from vigie_devkit.accuracy.scene_truth import frame_truth, shot_truth
from vigie_devkit.train.dataset import Picture

# Far from what people type: the scenes of tests and demonstrations are never trained on.
TRAIN_SEED = 1_000_000_000
VALID_SEED = 2_000_000_000

LOOKS_PER_SCENE = 6
FRAMES_BETWEEN_LOOKS = 61  # parts have moved on by most of the picture
HARD_SHOTS_PER_SCENE = 6
FRAMES_PER_HARD_SHOT = 90

TRAINING_LOOKS = 3


class Kind(NamedTuple):
    """One kind of training picture: its share of them all, and how its belt is filled."""

    share: float
    style: Style


# By how hard a regime is, not by how often it is met. Parts lie closer together than in any scene that is measured,
# small ones six times, and those reach a little past the hard split's sizes on both sides: what a picture costs is its
# pixels, what it teaches is its parts.
KINDS: Final[dict[Regime, Kind]] = {
    "small": Kind(0.28, Style(27, (11.0, 18.0), filled=0.6, clutter=0.05, relative=False)),
    "occluded": Kind(0.38, Style(96, (30.0, 104.0), filled=0.75, clutter=0.06, covered=True)),
    "normal": Kind(0.20, Style(96, (26.0, 104.0), filled=0.75, clutter=0.2)),
    "blurred": Kind(0.14, Style(96, (26.0, 104.0), filled=0.75, clutter=0.2)),
}


class _Shoot(NamedTuple):
    seed: int
    regime: Regime
    offset: int


def training_pictures(seed: int, count: int) -> Iterator[Picture]:
    """``count`` pictures of 640x480, rendered on all cores; the same, in the same order, for the same seed."""
    chance = np.random.default_rng(seed)
    regimes = tuple(KINDS)
    shares = [KINDS[regime].share for regime in regimes]
    shoots = [
        _Shoot(
            seed + number,
            regimes[int(chance.choice(len(regimes), p=shares))],
            int(chance.integers(0, FRAMES_BETWEEN_LOOKS)),
        )
        for number in range(1, -(-count // TRAINING_LOOKS) + 1)
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        pictures = (picture for looks in pool.map(_shot_pictures, shoots, chunksize=4) for picture in looks)
        yield from islice(pictures, count)


def _shot_pictures(shoot: _Shoot) -> list[Picture]:
    shot = Shot(SceneSpec(seed=shoot.seed), 0, shoot.regime, KINDS[shoot.regime].style)
    pictures = []
    for look in range(TRAINING_LOOKS):
        index = look * FRAMES_BETWEEN_LOOKS + shoot.offset
        frame_bgr = np.empty((shot.spec.size_wh[1], shot.spec.size_wh[0], 3), np.uint8)
        shot.render_into(frame_bgr, index)
        truth = shot_truth(shot, index)
        pictures.append(Picture(frame_bgr, truth.boxes_xyxy, truth.class_ids, truth.ignore))
    return pictures


def rendered_pictures(seed: int, *, hard: bool, size_wh: tuple[int, int] = (640, 480)) -> Iterator[Picture]:
    """Endless, to measure on; the same for the same seed. ``hard``: the hard split, or none of it."""
    chance = np.random.default_rng(seed)
    scene_seed = seed
    while True:
        scene_seed += 1
        spec = SceneSpec(seed=scene_seed, size_wh=size_wh, difficulty="hard" if hard else "normal")
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
