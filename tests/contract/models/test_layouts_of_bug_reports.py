"""Layouts of public bug reports: boxes that no family of ours writes so, each refused, whatever the user says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import models
from support.bug_reports import REPORTS, build
from support.models import CLASSES
from vigie.errors import ModelUnrecognisedError
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields

NAMES = [f"n{index}" for index in range(CLASSES)]
WITH_BACKGROUND = ["background", *NAMES]
# With a name for number 0 this is a right reading, or nothing in the file denies what the user says.
COUNTED_AS_TOLD = {"detectron2", "efficientdet-pytorch"}
CASES = [
    (report, labels)
    for report in REPORTS
    for labels in (None, NAMES, WITH_BACKGROUND)
    if labels is not WITH_BACKGROUND or report not in COUNTED_AS_TOLD
]


@pytest.mark.parametrize(("report", "labels"), CASES, ids=[f"{one}-{len(names or ())}" for one, names in CASES])
def test_it_is_refused_with_what_to_pass(tmp_path: Path, report: str, labels: list[str] | None) -> None:
    file = models.save(build(report), tmp_path)
    fed = input_fields("rgb/0..255" if REPORTS[report][2] > 1 else "rgb/0..1")
    for feed in (None, fed):
        with pytest.raises(ModelUnrecognisedError, match="--"):
            import_model(file, tmp_path / "bundle", labels=labels, feed=feed)


def test_boxes_with_y_first_are_refused_by_what_blotting_out_shows(tmp_path: Path) -> None:
    file = models.save(build("y-first"), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match=r"x and y of its boxes are the other way round: \d+ of \d+"):
        import_model(file, tmp_path / "bundle", labels=NAMES, feed=input_fields("rgb/0..1"))


def test_classes_that_count_from_one_are_refused_where_the_last_one_is_seen(tmp_path: Path) -> None:
    file = models.save(build("efficientdet-pytorch"), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match="one of 3 class numbers"):
        import_model(file, tmp_path / "bundle", labels=NAMES, feed=input_fields("rgb/0..1"))


def test_a_class_0_that_is_no_background_is_refused_where_numbers_start_at_one(tmp_path: Path) -> None:
    file = models.save(build("detectron2"), tmp_path)
    with pytest.raises(ModelUnrecognisedError, match="class number 0 occurs"):
        import_model(file, tmp_path / "bundle", labels=NAMES, feed=input_fields("rgb/0..255"))
