"""The pictures that training is tried on are labelled where their objects are, as a person's tool would write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vigie_devkit.bench.own_pictures import HW, LABELS, draw_picture, write_yolo
from vigie_devkit.train.folders import open_folder


def test_drawn_pictures_are_read_back_with_their_labels(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    drawn = [draw_picture(chance) for _ in range(6)]
    write_yolo(tmp_path / "table", drawn)
    labels, pictures, count = open_folder(tmp_path / "table")
    assert (tuple(labels), count) == (LABELS, 6)
    for one, read in zip(drawn, pictures, strict=True):
        np.testing.assert_allclose(read.boxes_xyxy, one.boxes_xyxy, atol=1e-2)
        np.testing.assert_array_equal(read.class_ids, one.class_ids)
        assert read.frame_bgr.shape == (*HW, 3)


def test_an_object_stands_out_from_the_table_inside_its_box() -> None:
    """Edges lie in boxes: what was labelled is what was drawn."""
    chance = np.random.default_rng(6)
    inside, outside = [], []
    for _ in range(8):
        picture = draw_picture(chance)
        edges = np.abs(np.diff(picture.frame_bgr.astype(np.float32).mean(axis=2), axis=1))
        labelled = np.zeros(HW, bool)
        for left, top, right, bottom in picture.boxes_xyxy.round().astype(int):
            labelled[top:bottom, left:right] = True
        inside.append(np.percentile(edges[labelled[:, 1:]], 99))
        outside.append(np.percentile(edges[~labelled[:, 1:]], 99))
    assert np.mean(inside) > 1.3 * np.mean(outside)
