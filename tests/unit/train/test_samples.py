"""What devices sampled and people labelled: which pictures are taught, and what is refused rather than guessed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from vigie.contracts.detections import Detection
from vigie.contracts.samples import MANIFEST, Sample, Truth
from vigie.errors import DatasetError
from vigie_devkit.train.samples import open_samples

HW = (32, 40)
BOX = (8.0, 4.0, 24.0, 20.0)
YOLO_ROW = "1 0.4 0.375 0.4 0.5\n"  # BOX, as class 1


def sampled(folder: Path, count: int = 12, **fields: Any) -> Path:
    """What sampling writes: pictures by day and camera, each with what the model saw, nothing of what is true."""
    lines = []
    for number in range(count):
        picture = f"dock-1/2026-11-28/{number:03}.png"
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / picture), np.full((*HW, 3), number, np.uint8))
        sample = Sample(
            picture=picture,
            sha256=hashlib.sha256((folder / picture).read_bytes()).hexdigest(),
            camera="dock-1",
            trace=f"{number:032x}",
            captured_at="2026-11-28T10:00:00Z",
            frame_hw=HW,
            model="parts 3",
            reasons=("low_confidence",),
            detections=(Detection("bolt", 0, 0.3, BOX),),
            **fields,
        )
        lines.append(msgspec.json.encode(sample).decode())
    (folder / MANIFEST).write_text("\n".join(lines) + "\n")
    return folder


def told(folder: Path, count: int = 12) -> Path:
    """Truth in the manifest's lines; of the last picture none."""
    sampled(folder, count + 1, truth=(Truth("nut", BOX),))
    lines = (folder / MANIFEST).read_text().splitlines()
    lines[-1] = json.dumps({key: value for key, value in json.loads(lines[-1]).items() if key != "truth"})
    (folder / MANIFEST).write_text("\n".join(lines))
    return folder


def yolo(folder: Path, count: int = 12, where: str = ".") -> Path:
    sampled(folder, count + 1)
    for number in range(count):
        file = folder / where / f"dock-1/2026-11-28/{number:03}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(YOLO_ROW)
    (folder / "classes.txt").write_text("bolt\nnut\n")
    return folder


def coco(folder: Path, count: int = 12) -> Path:
    sampled(folder, count + 1)
    tree = {
        "categories": [{"id": 3, "name": "nut"}],
        "images": [{"id": n, "file_name": f"dock-1/2026-11-28/{n:03}.png"} for n in range(count)],
        "annotations": [{"image_id": n, "category_id": 3, "bbox": [8, 4, 16, 16]} for n in range(count)],
    }
    (folder / "annotations.json").write_text(json.dumps(tree))
    return folder


@pytest.mark.parametrize(
    "make",
    [told, yolo, lambda folder: yolo(folder, where="labels"), coco],
    ids=["truth", "yolo-beside", "yolo-under-labels", "coco"],
)
def test_labels_are_read_from_every_place_and_unlabelled_pictures_are_left_out(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    samples = open_samples(make(tmp_path))
    pictures = list(samples.pictures())

    assert (samples.labels, len(samples.labelled), samples.unlabelled) == (["nut"], 12, 1)
    assert [int(one.frame_bgr[0, 0, 0]) for one in pictures] == list(range(12))
    np.testing.assert_allclose(pictures[5].boxes_xyxy, [BOX])
    assert pictures[5].class_ids.tolist() == [0]


def test_what_the_model_saw_is_not_taken_for_the_truth(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds 12 pictures and no labels; what the model saw is not the truth"):
        open_samples(sampled(tmp_path))


def test_labels_of_the_detector_come_first_and_keep_their_numbers(tmp_path: Path) -> None:
    samples = open_samples(told(tmp_path), known=("bolt", "nut", "gear"))
    assert samples.labels == ["bolt", "nut", "gear"]
    assert next(samples.pictures()).class_ids.tolist() == [1]
    assert open_samples(tmp_path, known=("bolt",)).labels == ["bolt", "nut"]


def test_an_empty_label_file_says_that_nothing_is_there(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "dock-1/2026-11-28/000.txt").write_text("")
    first = next(open_samples(tmp_path).pictures())
    assert len(first.class_ids) == 0


def test_what_was_blurred_for_privacy_is_neither_object_nor_background(tmp_path: Path) -> None:
    first = next(open_samples(sampled(tmp_path, truth=(Truth("nut", BOX),), hidden=((0, 0, 9, 99),))).pictures())
    assert first.ignore.tolist() == [False, True]
    assert first.boxes_xyxy[1].tolist() == [0, 0, 9, 32]


def test_of_a_line_written_twice_the_last_counts(tmp_path: Path) -> None:
    told(tmp_path)
    file = tmp_path / MANIFEST
    again = json.loads(file.read_text().splitlines()[0])
    again["truth"] = []
    file.write_text(file.read_text() + "\n" + json.dumps(again))
    samples = open_samples(tmp_path)
    assert len(samples.labelled) == 12
    assert len(next(samples.pictures()).class_ids) == 0


def replaced(folder: Path) -> None:
    cv2.imwrite(str(folder / "dock-1/2026-11-28/000.png"), np.zeros((*HW, 3), np.uint8) + 99)


def other_line(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        lines = (folder / MANIFEST).read_text().splitlines()
        lines[0] = json.dumps({**json.loads(lines[0]), **fields})
        (folder / MANIFEST).write_text("\n".join(lines))

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (replaced, "000.png: is not the picture that samples.jsonl names: its sha256 differs"),
        (lambda folder: (folder / "dock-1/2026-11-28/000.png").unlink(), "000.png: cannot be read"),
        (other_line(frame_hw=[40, 32]), "expected a picture of 40x32 as samples.jsonl says, got 32x40"),
        (other_line(picture="../secret.png"), "line 1 is not a sample"),
        (other_line(truth=[{"label": "nut", "box_xyxy": [9, 9, 9, 20]}]), "line 1: a box of truth has no size"),
        (lambda folder: (folder / MANIFEST).unlink(), "has no samples.jsonl"),
        (lambda folder: (folder / "classes.txt").write_text("nut"), "has labels in 2 places: classes.txt, truth in"),
    ],
    ids=["replaced", "missing", "other-size", "path", "flat-box", "no-manifest", "two-places"],
)
def test_what_could_be_misread_is_refused_with_its_place(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(told(tmp_path))
    with pytest.raises(DatasetError, match=said):
        list(open_samples(tmp_path).pictures())


def test_labels_under_changed_names_are_refused_rather_than_dropped(tmp_path: Path) -> None:
    coco(tmp_path)
    file = tmp_path / "annotations.json"
    file.write_text(file.read_text().replace("dock-1/2026-11-28/003.png", "003.png"))
    with pytest.raises(DatasetError, match=r"labels '003\.png', which samples\.jsonl does not name"):
        open_samples(tmp_path)


def test_a_handful_of_labelled_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has labels for 4 of 5 pictures; training needs 10"):
        open_samples(yolo(tmp_path, count=4))
