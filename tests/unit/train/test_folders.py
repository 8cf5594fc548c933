"""A user's own pictures: COCO and YOLO folders are read alike, and each mistake in them is named with its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vigie.errors import DatasetError
from vigie_devkit.train.folders import open_folder

BOXES = [(0, 8.0, 4.0, 24.0, 20.0), (1, 30.0, 10.0, 38.0, 30.0)]


def picture(file: Path, value: int, hw: tuple[int, int] = (32, 40)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.full((*hw, 3), value, np.uint8))


def coco(folder: Path, **changes: Any) -> Path:
    for number in (1, 2):
        picture(folder / f"images/p{number}.png", 10 * number)
    annotations = [
        {"image_id": 2, "category_id": (7, 9)[class_id], "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": class_id}
        for class_id, x1, y1, x2, y2 in BOXES
    ]
    tree = {
        "categories": [{"id": 9, "name": "nut"}, {"id": 7, "name": "bolt"}],
        "images": [{"id": 1, "file_name": "p1.png"}, {"id": 2, "file_name": "p2.png"}],
        "annotations": annotations,
        **changes,
    }
    (folder / "annotations.json").write_text(json.dumps(tree))
    return folder


def yolo(folder: Path, rows: str | bytes | None = None, names: str = "names: [bolt, nut]", kind: str = "yaml") -> Path:
    for number in (1, 2):
        picture(folder / f"images/train/p{number}.png", 10 * number)
    lines = [
        f"{class_id} {(x1 + x2) / 80} {(y1 + y2) / 64} {(x2 - x1) / 40} {(y2 - y1) / 32}"
        for class_id, x1, y1, x2, y2 in BOXES
    ]
    text = "\n".join(lines) if rows is None else rows
    (folder / "labels/train").mkdir(parents=True)
    (folder / "labels/train/p2.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / ("data.yaml" if kind == "yaml" else "classes.txt")).write_text(names)
    return folder


@pytest.mark.parametrize(
    "make",
    [
        coco,
        yolo,
        lambda folder: yolo(folder, names="names: {0: bolt, 1: nut}"),
        lambda folder: yolo(folder, names="bolt\nnut\n", kind="txt"),
    ],
    ids=["coco", "yolo", "yolo-numbered-names", "yolo-classes"],
)
def test_the_same_pictures_are_read_from_every_format(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    labels, pictures, count = open_folder(make(tmp_path))
    first, second = list(pictures)

    assert (labels, count) == (["bolt", "nut"], 2)
    assert (len(first.boxes_xyxy), first.frame_bgr[0, 0, 0], second.frame_bgr[0, 0, 0]) == (0, 10, 20)
    np.testing.assert_allclose(second.boxes_xyxy, [row[1:] for row in BOXES])
    assert second.class_ids.tolist() == [0, 1]
    assert second.frame_bgr.shape == (32, 40, 3)


def test_a_crowd_is_not_asked_for(tmp_path: Path) -> None:
    assert list(open_folder(coco(tmp_path))[1])[1].ignore.tolist() == [False, True]


def test_what_sticks_out_of_the_picture_is_cut(tmp_path: Path) -> None:
    rows = [{"image_id": 1, "category_id": 7, "bbox": [-3, -2, 60, 60]}]
    assert next(open_folder(coco(tmp_path, annotations=rows))[1]).boxes_xyxy.tolist() == [[0, 0, 40, 32]]


def broken_picture(folder: Path) -> Path:
    (coco(folder) / "images/p2.png").write_bytes(b"no picture")
    return folder


def missing_picture(folder: Path) -> Path:
    (coco(folder) / "images/p1.png").unlink()
    return folder


def text_file(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (coco(folder) / name).write_bytes(content)
        return folder

    return make


def only(*names: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name in names:
            (folder / name).mkdir() if name == "images" else (folder / name).write_text("bolt")
        return folder

    return make


def annotation(**row: Any) -> Callable[[Path], Path]:
    return lambda folder: coco(folder, annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, 5, 5], **row}])


MISTAKES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no images": (only("classes.txt"), "has no folder 'images'"),
    "no format": (only("images"), "has neither annotations.json (COCO) nor data.yaml"),
    "no picture": (only("images", "classes.txt"), "images: holds no picture (.bmp,"),
    "broken picture": (broken_picture, "images/p2.png: is missing, or is not a picture"),
    "missing picture": (missing_picture, "images/p1.png: is missing, or is not a picture"),
    "coco: no json": (text_file("annotations.json", b"{"), "annotations.json: is not a COCO file"),
    "coco: a list": (text_file("annotations.json", b"[]"), "annotations.json: is not a COCO file"),
    "coco: no text": (text_file("annotations.json", b"\xff\xfe"), "cannot be read as text (UnicodeDecodeError)"),
    "coco: no categories": (lambda folder: coco(folder, categories=[]), "names no class"),
    "coco: no box": (annotation(bbox=[1, 2, 3]), "picture p1.png: expected an annotation with bbox"),
    "coco: box of words": (annotation(bbox="abcd"), "picture p1.png: expected an annotation with bbox"),
    "coco: other category": (annotation(category_id=3), "picture p1.png: category 3 is not among the categories"),
    "coco: no size": (annotation(bbox=[4, 4, 0, 3]), "picture p1.png: a box has no size"),
    "coco: no number": (annotation(bbox=[4, 4, "nan", 3]), "picture p1.png: a box has no size"),
    "yolo: pixels": (lambda folder: yolo(folder, "0 12 14 8 8"), "p2.txt: line 1: x, y, width and height are shares"),
    "yolo: polygon": (lambda folder: yolo(folder, "0 .1 .1 .2 .2 .3 .3"), "line 1: expected 'class x y width height'"),
    "yolo: words": (lambda folder: yolo(folder, "\n\nbolt .1 .1 .2 .2"), "line 3: expected 'class x y width height'"),
    "yolo: class": (lambda folder: yolo(folder, "2 .1 .1 .2 .2"), "line 1: class 2, but there are 2, numbered from 0"),
    "yolo: no size": (lambda folder: yolo(folder, "0 .1 .1 0 .2"), "line 1: a box has no size"),
    "yolo: not a number": (lambda folder: yolo(folder, "0 nan .1 .2 .2"), "line 1: x, y, width and height are shares"),
    "yolo: no text": (lambda folder: yolo(folder, b"\xff\xfe"), "p2.txt: cannot be read as text"),
    "yolo: no names": (lambda folder: yolo(folder, names="nc: 2"), "data.yaml: has no list 'names'"),
    "yolo: a number": (lambda folder: yolo(folder, names="names: 2"), "data.yaml: has no list 'names'"),
    "yolo: gaps": (lambda folder: yolo(folder, names="names: {0: a, 2: b}"), "data.yaml: has no list 'names'"),
    "yolo: no yaml": (lambda folder: yolo(folder, names="names: ["), "data.yaml: is not plain YAML"),
    "yolo: empty name": (lambda folder: yolo(folder, names="names: ['']"), "names no class, or one of them has an"),
    "yolo: no classes": (lambda folder: yolo(folder, names="\n", kind="txt"), "classes.txt: names no class"),
}


@pytest.mark.parametrize(("make", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_file(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(DatasetError) as refused:
        list(open_folder(make(tmp_path))[1])
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)
