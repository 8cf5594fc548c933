"""What a person asked `models train` for, and what the rest is set to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vigie_devkit.models.writer import bundle_name
from vigie_devkit.train.augment import Augment
from vigie_devkit.train.recipe import TrainingRecipe

RENDERED_NAME: Final = "conveyor-parts"
VALID_SHARE: Final = 0.1
# A part of the conveyor is at most 104 px: cuts hold several, and cost a fifth of the picture.
RENDERED_RECIPE: Final = TrainingRecipe(epochs=26, cut_px=256)
# Nobody knows how large the objects of a folder are: whole pictures, unless told otherwise. They are few: small
# batches, so that there are steps enough.
FOLDER_RECIPE: Final = TrainingRecipe(epochs=60, batch=4, augment=Augment())
# From trained weights, by what is trained on. Rendered pictures never end, and what the first training left out is fine
# detail, which takes long: as many steps again, twice. A person's pictures are few: what is known must not be shaken
# out, and the way is shorter.
RENDERED_AGAIN: Final = replace(RENDERED_RECIPE, epochs=40, batch=16, warm_up_steps=150, average_decay=0.999)
FOLDER_AGAIN: Final = replace(FOLDER_RECIPE, epochs=50, learning_rate=1e-3, warm_up_steps=150, average_decay=0.995)


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train: on the pictures of ``folder``, of ``samples`` (what devices chose), of both; neither: rendered.

    ``start``: the bundle whose weights it begins with; ``keep_labels``: it also goes on to know all of its classes when
    it learns from samples. ``size_hw``: multiples of 32. ``pictures``: rendered ones.
    ``checkpoints``: a folder for the network after every epoch.
    """

    name: str
    output: Path
    folder: Path | None = None
    samples: Path | None = None
    start: Path | None = None
    keep_labels: bool = False
    pictures: int = 2400
    valid_pictures: int = 400
    size_hw: tuple[int, int] = (480, 640)
    recipe: TrainingRecipe = RENDERED_RECIPE
    licence: str = "MIT"
    checkpoints: Path | None = None
    version: str = "1"

    @property
    def rendered(self) -> bool:
        return self.folder is None and self.samples is None


def training_request(
    output: Path,
    *,
    name: str | None = None,
    folder: Path | None = None,
    samples: Path | None = None,
    start: Path | None = None,
    keep_labels: bool = False,
    epochs: int | None = None,
    pictures: int | None = None,
    size_hw: tuple[int, int] | None = None,
    cut_px: int | None = None,
    licence: str | None = None,
    checkpoints: Path | None = None,
    version: str = "1",
) -> TrainingRequest:
    """What a person asked for, the rest as the shipped detector was trained; a folder's pictures uncut.

    A licence is only known of what is rendered here.
    """
    own = folder or samples
    first, again = (RENDERED_RECIPE, RENDERED_AGAIN) if own is None else (FOLDER_RECIPE, FOLDER_AGAIN)
    recipe = first if start is None else again
    default = TrainingRequest(name=RENDERED_NAME, output=output, recipe=recipe)
    return TrainingRequest(
        name=name or (RENDERED_NAME if own is None else bundle_name(Path(f"{own.resolve().name}.folder"))),
        output=output,
        folder=folder,
        samples=samples,
        start=start,
        keep_labels=keep_labels,
        pictures=pictures or default.pictures,
        # A short try is measured shortly too.
        valid_pictures=default.valid_pictures if pictures is None else max(1, round(VALID_SHARE * pictures)),
        size_hw=size_hw or default.size_hw,
        recipe=replace(recipe, epochs=epochs or recipe.epochs, cut_px=cut_px or recipe.cut_px),
        licence=licence or (default.licence if own is None else "unknown"),
        checkpoints=checkpoints,
        version=version,
    )
