"""Where calibration frames come from: a video, pictures, a labelled folder, the renderer.

A source gives frames spread evenly over all it has: the first hundred frames of a video show one scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vigie.errors import CalibrationError, DatasetError, SyntheticSourceError
from vigie.models import Card
from vigie.synthetic import LABELS, open_scene
from vigie.synthetic.url import SCHEME, parse_url
from vigie_devkit.accuracy.average_precision import FrameTruth
from vigie_devkit.accuracy.scene_truth import frame_truth
from vigie_devkit.quantize.samples import TensorSample, fit, spread
from vigie_devkit.train.folders import NAME_FILES, PICTURES, open_folder

VIDEOS = {".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"}
# Parts of the conveyor have moved on by most of the picture.
FRAMES_BETWEEN_LOOKS = 61
LOOKS_PER_SCENE = 6


def read_source(source: str, card: Card, count: int) -> list[TensorSample]:
    """At most ``count`` samples, evenly spread, in a fixed order.

    Args: source: ``synthetic://..``, a video, a picture, a folder of pictures, a COCO or YOLO folder (truth by label),
        or for a classifier a folder with one folder of pictures per class.
    Raises: CalibrationError: nothing there that can be read; the text says what was found.
    """
    try:
        if source.startswith(f"{SCHEME}:"):
            samples = list(_rendered(source, card, count))
        else:
            samples = _from_path(source, Path(source), card, count)
    except (DatasetError, SyntheticSourceError) as error:
        raise CalibrationError(source, str(error)) from error
    if not samples:
        raise CalibrationError(source, "holds no picture that can be read")
    return [replace(sample, source=source) for sample in samples]


def _from_path(source: str, path: Path, card: Card, count: int) -> list[TensorSample]:
    if path.is_file() and path.suffix.lower() in VIDEOS:
        return list(_video(source, path, card, count))
    if path.is_file() and path.suffix.lower() in PICTURES:
        return [_picture(source, path, card)]
    if not path.is_dir():
        what = "is neither a picture nor a video that is known by its name" if path.exists() else "does not exist"
        raise CalibrationError(
            source, f"{what}; pass a folder of pictures, a video ({', '.join(sorted(VIDEOS))}) or {SCHEME}://conveyor"
        )
    if (path / "images").is_dir() and any((path / name).is_file() for name in NAME_FILES):
        return list(_labelled(path, card, count))
    if card.task == "classification" and (classes := _class_folders(source, path, card)):
        labelled = [(file, class_id) for class_id, folder in classes for file in _files(folder)]
        return [_picture(source, file, card, class_id) for file, class_id in spread(labelled, count)]
    files = list(_files(path))
    if not files:
        raise CalibrationError(source, f"holds no picture ({', '.join(sorted(PICTURES))})")
    return [_picture(source, file, card) for file in spread(files, count)]


def _rendered(source: str, card: Card, count: int) -> Iterator[TensorSample]:
    spec = parse_url(source)
    # A model that knows none of the parts is only looked at for agreement.
    known = {LABELS.index(label): card.labels.index(label) for label in card.labels if label in LABELS}
    for look in range(count):
        # Another belt after a few looks: one scene has one light and one ground.
        number, of_scene = divmod(look, LOOKS_PER_SCENE)
        if of_scene == 0:
            scene = open_scene(replace(spec, seed=spec.seed + number))
        index = of_scene * FRAMES_BETWEEN_LOOKS
        truth = _translated(frame_truth(scene, index), known) if known else None
        yield fit(card, f"{source}, scene {number + 1}, frame {index}", scene.render(index), truth=truth)


def _video(source: str, path: Path, card: Card, count: int) -> Iterator[TensorSample]:
    capture = cv2.VideoCapture(str(path))
    try:
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        if total <= 0:
            raise CalibrationError(source, "cannot be opened as a video by OpenCV; convert it to H.264 in an .mp4")
        wanted = set(spread(list(range(total)), count))
        for index in range(total):
            if not capture.grab():
                return
            if index in wanted:
                read, frame_bgr = capture.retrieve()
                if read:
                    yield fit(card, f"{path.name} frame {index}", np.asarray(frame_bgr, np.uint8))
    finally:
        capture.release()


def _labelled(folder: Path, card: Card, count: int) -> Iterator[TensorSample]:
    labels, pictures, total = open_folder(folder)
    known = {index: card.labels.index(label) for index, label in enumerate(labels) if label in card.labels}
    wanted = set(spread(list(range(total)), count))
    for index, picture in enumerate(islice(pictures, max(wanted) + 1)):
        if index in wanted:
            truth = FrameTruth(picture.boxes_xyxy, picture.class_ids, picture.ignore)
            yield fit(
                card,
                f"{folder.name} picture {index}",
                picture.frame_bgr,
                truth=_translated(truth, known) if known else None,
            )


def _translated(truth: FrameTruth, known: dict[int, int]) -> FrameTruth:
    """Truth under the card's class numbers; what the model has no class for is left out."""
    kept = np.isin(truth.class_ids, np.array(sorted(known), np.int64))
    numbers = np.array([known[int(number)] for number in truth.class_ids[kept]], np.int64)
    return FrameTruth(truth.boxes_xyxy[kept], numbers, truth.ignore[kept])


def _class_folders(source: str, folder: Path, card: Card) -> list[tuple[int, Path]]:
    inner = sorted(one for one in folder.iterdir() if one.is_dir())
    by_name = {label: index for index, label in enumerate(card.labels)}
    found = [(by_name[one.name], one) for one in inner if one.name in by_name]
    if inner and not found:
        # Numbered folders mean class ids, as many training scripts write them.
        found = [(int(one.name), one) for one in inner if one.name.isdecimal() and int(one.name) < len(card.labels)]
    if inner and not found:
        raise CalibrationError(
            source, f"its folders ({inner[0].name}, ..) are not labels of the model ({card.labels[0]}, ..)"
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())


def _picture(source: str, file: Path, card: Card, class_id: int | None = None) -> TensorSample:
    frame_bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if frame_bgr is None:
        raise CalibrationError(source, f"{file.name} cannot be read as a picture by OpenCV; remove it or save it again")
    return fit(card, file.name, np.asarray(frame_bgr, np.uint8), class_id=class_id)
