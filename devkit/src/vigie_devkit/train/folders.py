"""A user's own pictures: a folder in COCO or in YOLO format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from vigie.errors import DatasetError
from vigie_devkit.train.dataset import Picture

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def open_folder(folder: Path) -> tuple[list[str], Iterator[Picture], int]:
    """Labels, pictures in a fixed order, and how many.

    ``annotations.json`` (COCO) beside ``images/``, or ``data.yaml`` or ``classes.txt`` (YOLO) beside ``images/`` and
    ``labels/``.
    Raises: DatasetError: neither, or a file that does not say what it should; with its path.
    """
    images = folder / "images"
    if not images.is_dir():
        raise DatasetError(str(folder), "has no folder 'images'; put the pictures there")
    if (folder / "annotations.json").is_file():
        return _coco(folder)
    for name in ("data.yaml", "classes.txt"):
        if (folder / name).is_file():
            return _yolo(folder, folder / name)
    raise DatasetError(
        str(folder), "has neither annotations.json (COCO) nor data.yaml or classes.txt (YOLO) beside images/"
    )


def _coco(folder: Path) -> tuple[list[str], Iterator[Picture], int]:
    file = folder / "annotations.json"
    try:
        tree: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        categories = {int(one["id"]): str(one["name"]) for one in tree["categories"]}
        pictures = [(int(one["id"]), str(one["file_name"])) for one in tree["images"]]
        by_picture: dict[int, list[dict[str, Any]]] = {}
        for one in tree["annotations"]:
            by_picture.setdefault(int(one["image_id"]), []).append(one)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(str(file), f"is not a COCO file: {error!r}") from error
    labels = [categories[key] for key in sorted(categories)]
    position = {key: index for index, key in enumerate(sorted(categories))}

    def read() -> Iterator[Picture]:
        for picture_id, name in pictures:
            rows = by_picture.get(picture_id, [])
            try:
                boxes = [(box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in (row["bbox"] for row in rows)]
                classes = [position[int(row["category_id"])] for row in rows]
            except (KeyError, IndexError, TypeError) as error:
                raise DatasetError(str(file), f"picture {name}: an annotation lacks {error}") from error
            yield _picture(folder / "images" / name, boxes, classes, [bool(row.get("iscrowd")) for row in rows])

    return labels, read(), len(pictures)


def _yolo(folder: Path, names: Path) -> tuple[list[str], Iterator[Picture], int]:
    labels = _yolo_labels(names)
    pictures = sorted(path for path in (folder / "images").rglob("*") if path.suffix.lower() in PICTURES)

    def read() -> Iterator[Picture]:
        for path in pictures:
            text = (folder / "labels" / path.relative_to(folder / "images")).with_suffix(".txt")
            rows = text.read_text(encoding="utf-8").split("\n") if text.is_file() else []
            frame_bgr = _read(path)
            height, width = frame_bgr.shape[:2]
            boxes, classes = [], []
            for number, row in enumerate((row for row in rows if row.strip()), start=1):
                try:
                    class_id, x, y, w, h = row.split()[:5]
                    centre_x, centre_y = float(x) * width, float(y) * height
                    half_w, half_h = float(w) * width / 2, float(h) * height / 2
                except ValueError as error:
                    raise DatasetError(str(text), f"line {number}: expected 'class x y width height'") from error
                if not 0 <= int(class_id) < len(labels):
                    raise DatasetError(str(text), f"line {number}: class {class_id}, but there are {len(labels)}")
                boxes.append((centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h))
                classes.append(int(class_id))
            yield _picture(path, boxes, classes, [False] * len(boxes))

    return labels, read(), len(pictures)


def _yolo_labels(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".txt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        names = yaml.safe_load(text)["names"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DatasetError(str(file), "has no list 'names'") from error
    return [str(names[key]) for key in sorted(names)] if isinstance(names, dict) else [str(name) for name in names]


def _picture(path: Path, boxes: Sequence[tuple[float, ...]], classes: list[int], ignore: list[bool]) -> Picture:
    return Picture(
        _read(path),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(classes, np.int64),
        np.array(ignore, bool),
    )


def _read(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    frame_bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if frame_bgr is None:
        raise DatasetError(str(path), "is missing or is no picture")
    return np.asarray(frame_bgr, np.uint8)
