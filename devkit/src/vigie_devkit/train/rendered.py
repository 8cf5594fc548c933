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
from vigie_devkit.train.dataset import LabelledPicture

# Far from what people type: the scenes of tests and demonstrations are never trained on.
TRAIN_SEED = 1_000_000_000
VALID_SEED = 2_000_000_000
# Training that starts from a trained detector sees belts that the first one did not.
AGAIN_SEED = TRAIN_SEED + 100_000_000

LOOKS_PER_SCENE = 6
FRAMES_BETWEEN_LOOKS = 61  # parts have moved on by most of the picture
HARD_SHOTS_PER_SCENE = 6
FRAMES_PER_HARD_SHOT = 90

TRAINING_LOOKS = 3


class PictureKind(NamedTuple):
    """One kind of training picture: its share of them all, the trouble it shows, and how its belt is filled."""

    share: float
    regime: Regime
    style: Style


# By how hard a regime is, not by how often it is met. Large parts lie closer together than in any scene that is
# measured: what a picture costs is its pixels, what it teaches is its parts. Small ones, which reach a little past the
# hard split's sizes on both sides, lie close, as in the hard split, and alone: from packed belts only, the detector
# learned that small parts have company (of those that lay alone it found a third).
KINDS: Final[tuple[PictureKind, ...]] = (
    PictureKind(0.12, "small", Style(34, (11.0, 18.0), filled=0.5, clutter=0.05, relative=False)),
    PictureKind(0.26, "small", Style(44, (11.0, 18.0), filled=0.22, clutter=0.05, relative=False)),
    PictureKind(0.14, "small", Style(64, (11.0, 18.0), filled=0.15, clutter=0.08, relative=False)),
    PictureKind(0.23, "occluded", Style(96, (30.0, 104.0), filled=0.7, clutter=0.06, covered=True)),
    PictureKind(0.15, "normal", Style(96, (26.0, 104.0), filled=0.6, clutter=0.2)),
    PictureKind(0.10, "blurred", Style(96, (26.0, 104.0), filled=0.7, clutter=0.2)),
)


class _Shoot(NamedTuple):
    seed: int
    kind: PictureKind
    offset: int


def training_pictures(seed: int, count: int) -> Iterator[LabelledPicture]:
    """``count`` pictures of 640x480, rendered on all cores; the same, in the same order, for the same seed."""
    chance = np.random.default_rng(seed)
    shares = [kind.share for kind in KINDS]
    shoots = [
        _Shoot(
            seed + number,
            KINDS[int(chance.choice(len(KINDS), p=shares))],
            int(chance.integers(0, FRAMES_BETWEEN_LOOKS)),
        )
        for number in range(1, -(-count // TRAINING_LOOKS) + 1)
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        pictures = (picture for looks in pool.map(_shot_pictures, shoots, chunksize=4) for picture in looks)
        yield from islice(pictures, count)


def _shot_pictures(shoot: _Shoot) -> list[LabelledPicture]:
    shot = Shot(SceneSpec(seed=shoot.seed), 0, shoot.kind.regime, shoot.kind.style)
    pictures = []
    for look in range(TRAINING_LOOKS):
        index = look * FRAMES_BETWEEN_LOOKS + shoot.offset
        frame_bgr = np.empty((shot.spec.size_wh[1], shot.spec.size_wh[0], 3), np.uint8)
        shot.render_into(frame_bgr, index)
        truth = shot_truth(shot, index)
        pictures.append(LabelledPicture(frame_bgr, truth.boxes_xyxy, truth.class_ids, truth.ignore))
    return pictures


def rendered_pictures(seed: int, *, hard: bool, size_wh: tuple[int, int] = (640, 480)) -> Iterator[LabelledPicture]:
    """Endless, to measure on; the same for the same seed. ``hard``: the hard split, or none of it."""
    chance = np.random.default_rng(seed)
    scene_seed = seed
    while True:
        scene_seed += 1
        spec = SceneSpec(seed=scene_seed, size_wh=size_wh, difficulty="hard" if hard else "normal")
        yield from _looks(spec, int(chance.integers(0, FRAMES_BETWEEN_LOOKS)))


def _looks(spec: SceneSpec, offset: int) -> Iterator[LabelledPicture]:
    scene = open_scene(spec)
    if spec.difficulty == "hard":
        indices = [shot * FRAMES_PER_HARD_SHOT + offset for shot in range(HARD_SHOTS_PER_SCENE)]
    else:
        indices = [look * FRAMES_BETWEEN_LOOKS + offset for look in range(LOOKS_PER_SCENE)]
    for index in indices:
        truth = frame_truth(scene, index)
        yield LabelledPicture(scene.render(index), truth.boxes_xyxy, truth.class_ids, truth.ignore)
