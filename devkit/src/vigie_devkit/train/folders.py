"""A user's own pictures: a folder in COCO or in YOLO format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from vigie.errors import DatasetError
from vigie_devkit.train.dataset import LabelledPicture

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
NAME_FILES = ("annotations.json", "data.yaml", "classes.txt")

Box = tuple[float, float, float, float]


class MarkedObject(NamedTuple):
    """One object that somebody marked, in the picture's pixels; ``ignore``: neither taught nor counted."""

    label: str
    box: Box
    ignore: bool = False


def open_folder(folder: Path) -> tuple[list[str], Iterator[LabelledPicture], int]:
    """Labels, pictures in a fixed order, and how many.

    ``annotations.json`` (COCO) beside ``images/``, or ``data.yaml`` or ``classes.txt`` (YOLO) beside ``images/`` and
    ``labels/``.
    Raises: DatasetError: neither, or a file that does not say what it should; with its path.
    """
    images = folder / "images"
    if not images.is_dir():
        raise DatasetError(str(folder), "has no folder 'images'; put the pictures there")
    names = next((folder / name for name in NAME_FILES if (folder / name).is_file()), None)
    if names is None:
        raise DatasetError(
            str(folder), "has neither annotations.json (COCO) nor data.yaml or classes.txt (YOLO) beside images/"
        )
    labels, pictures, count = _coco(folder) if names.name == NAME_FILES[0] else _yolo(folder, names)
    if not labels or not all(labels):
        raise DatasetError(str(names), "names no class, or one of them has an empty name")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise DatasetError(str(names), f"names class {twice!r} twice")
    if not count:
        raise DatasetError(str(images), f"holds no picture ({', '.join(sorted(PICTURES))})")
    return labels, pictures, count


def _coco(folder: Path) -> tuple[list[str], Iterator[LabelledPicture], int]:
    file = folder / "annotations.json"
    labels, rows = _coco_tree(file)
    position = {label: index for index, label in enumerate(labels)}

    def read() -> Iterator[LabelledPicture]:
        for name, own in rows.items():
            yield marked_picture(_read(folder / "images" / name), own, position)

    return labels, read(), len(rows)


def coco_rows(file: Path) -> dict[str, list[MarkedObject]]:
    """What a COCO file says is in each picture, by its ``file_name``; in the order of ``images``.

    Raises: DatasetError: not such a file, an annotation of no size or of an unknown category, a picture listed twice.
    """
    return _coco_tree(file)[1]


def _coco_tree(file: Path) -> tuple[list[str], dict[str, list[MarkedObject]]]:
    try:
        tree: dict[str, Any] = json.loads(read_text(file))
        categories = {int(one["id"]): str(one["name"]) for one in tree["categories"]}
        names = [(int(one["id"]), str(one["file_name"])) for one in tree["images"]]
        by_picture: dict[int, list[dict[str, Any]]] = {}
        for one in tree["annotations"]:
            by_picture.setdefault(int(one["image_id"]), []).append(one)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(str(file), f"is not a COCO file: {error!r}") from error
    labels = [categories[key] for key in sorted(categories)]
    if not labels:
        raise DatasetError(str(file), "names no class")
    rows: dict[str, list[MarkedObject]] = {}
    for picture_id, name in names:
        if name in rows:
            raise DatasetError(str(file), f"lists picture {name} twice")
        rows[name] = [_coco_row(one, categories, file, f"picture {name}") for one in by_picture.get(picture_id, [])]
    return labels, rows


def _coco_row(row: dict[str, Any], categories: dict[int, str], file: Path, where: str) -> MarkedObject:
    try:
        x, y, width, height = (float(value) for value in row["bbox"])
        category = int(row["category_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            str(file), f"{where}: expected an annotation with bbox [x, y, width, height] and category_id"
        ) from error
    if category not in categories:
        raise DatasetError(str(file), f"{where}: category {category} is not among the categories")
    box = _checked((x, y, x + width, y + height), file, where)
    return MarkedObject(categories[category], box, bool(row.get("iscrowd")))


def _yolo(folder: Path, names: Path) -> tuple[list[str], Iterator[LabelledPicture], int]:
    labels = yolo_labels(names)
    position = {label: index for index, label in enumerate(labels)}
    pictures = sorted(path for path in (folder / "images").rglob("*") if path.suffix.lower() in PICTURES)

    def read() -> Iterator[LabelledPicture]:
        for path in pictures:
            file = (folder / "labels" / path.relative_to(folder / "images")).with_suffix(".txt")
            frame_bgr = _read(path)
            height, width = frame_bgr.shape[:2]
            yield marked_picture(
                frame_bgr, yolo_rows(file, (height, width), labels) if file.is_file() else [], position
            )

    return labels, read(), len(pictures)


def yolo_rows(file: Path, frame_hw: tuple[int, int], labels: Sequence[str]) -> list[MarkedObject]:
    """What a YOLO file says is in a picture of ``frame_hw``. Raises: DatasetError: with its line."""
    rows = []
    for number, text in enumerate(read_text(file).splitlines(), start=1):
        if text.strip():
            class_id, box = _yolo_row(text, frame_hw, len(labels), file, f"line {number}")
            rows.append(MarkedObject(labels[class_id], box))
    return rows


def _yolo_row(row: str, frame_hw: tuple[int, int], label_count: int, file: Path, where: str) -> tuple[int, Box]:
    """Class and box in pixels of one line: ``class x y width height``, centre and size as shares of the picture."""
    words = row.split()
    try:
        class_id, (x, y, w, h) = int(words[0]), (float(word) for word in words[1:])
    except ValueError as error:
        raise DatasetError(
            str(file), f"{where}: expected 'class x y width height', got {row.strip()[:60]!r}"
        ) from error
    if not 0 <= class_id < label_count:
        raise DatasetError(str(file), f"{where}: class {class_id}, but there are {label_count}, numbered from 0")
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 <= w <= 1 and 0 <= h <= 1):
        raise DatasetError(str(file), f"{where}: x, y, width and height are shares of the picture, 0 to 1")
    height, width = frame_hw
    half_w, half_h = w * width / 2, h * height / 2
    box = (x * width - half_w, y * height - half_h, x * width + half_w, y * height + half_h)
    return class_id, _checked(box, file, where)


def _checked(box: Box, file: Path, where: str) -> Box:
    if not all(math.isfinite(side) for side in box) or box[2] <= box[0] or box[3] <= box[1]:
        raise DatasetError(str(file), f"{where}: a box has no size")
    return box


def yolo_labels(file: Path) -> list[str]:
    """Class names by number, of ``data.yaml`` or ``classes.txt``. Raises: DatasetError."""
    text = read_text(file)
    if file.suffix == ".txt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise DatasetError(str(file), "is not plain YAML") from error
    names = tree.get("names") if isinstance(tree, dict) else None
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[key] for key in sorted(names)]
    if not isinstance(names, list):
        raise DatasetError(str(file), "has no list 'names'; write 'names: [first, second]'")
    return [str(name) for name in names]


def marked_picture(
    frame_bgr: NDArray[np.uint8], rows: Sequence[MarkedObject], position: Mapping[str, int]
) -> LabelledPicture:
    """``position``: the class number of each label."""
    height, width = frame_bgr.shape[:2]
    # Annotation tools round; what sticks out of the picture cannot be seen.
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    return LabelledPicture(
        frame_bgr,
        np.clip(boxes, 0, (width, height, width, height)),
        np.array([position[row.label] for row in rows], np.int64),
        np.array([row.ignore for row in rows], bool),
    )


def _read(path: Path) -> NDArray[np.uint8]:
    frame_bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if frame_bgr is None:
        raise DatasetError(str(path), "is missing, or is not a picture")
    return np.asarray(frame_bgr, np.uint8)


def read_text(file: Path) -> str:
    """Raises: DatasetError: it is not there, or is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(str(file), f"cannot be read as text ({type(error).__name__})") from error
