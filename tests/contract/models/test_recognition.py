"""Recognition: the strongest evidence decides, the ambiguous and the unknown are refused with what to pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support import models
from support.models import Graph, image, tensor
from vigie.errors import CardError, ModelUnrecognisedError
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.models.labels import COCO80, read_labels
from vigie_devkit.models.prepare import prepare
from vigie_devkit.models.recognise import family_names, recognise


def odd_outputs() -> Any:
    g = Graph()
    g.add("Identity", g.features("images", (8,), 9), name="output")
    return g.model([image((64, 64))], [tensor("output", [1, 9, 64])])


REFUSED: list[Any] = [
    ("unknown", odd_outputs, {}, "no family has outputs output [1, 9, 64] for input 64x64; pass a reading with --card"),
    ("pose", partial(models.yolov8, classes=52), {}, "pose or oriented-box models look alike; pass --labels with 52"),
    ("end2end-unnamed", models.end2end, {}, "but not how many classes there are; pass --labels"),
    ("ssd-unnamed", models.detection_output, {}, "do not say how many classes there are; pass --labels FILE"),
    ("tf-unnamed", models.tensorflow_ssd, {}, "tensorflow: finished boxes do not say how many classes"),
    ("torchvision-unnamed", models.torchvision_ssd, {}, "torchvision: finished boxes do not say how many classes"),
    ("rtdetr-unnamed", models.rtdetr, {}, "pass --labels FILE, or --labels coco80"),
    ("rfdetr-unnamed", models.rfdetr, {}, "[1,16,4] class logits; pass --labels with 4 names, one per column"),
    (
        "oriented",
        partial(models.yolov8, metadata=models.ultralytics_metadata(task="obb")),
        {},
        "metadata task 'obb', but its output [1, 7, 84] is not centre, size, 3 scores and an angle",
    ),
    (
        "semantic",
        partial(models.yolov8, metadata=models.ultralytics_metadata(task="semantic")),
        {},
        "its metadata say task 'semantic', but it has no one map of its classes; pass --card",
    ),
    (
        "open-input",
        partial(models.yolov8, hw=None),
        {},
        "leaves its height open; pass --size HEIGHTxWIDTH (for example --size 640x640)",
    ),
    ("fixed-input", models.yolox, {"size_hw": (32, 32)}, "is fixed to 64 where 32 was asked for; leave --size away"),
    ("wrong-count", models.yolox, {"labels": ("a", "b")}, "no family has outputs"),
    ("wrong-family", models.yolox, {"family": "ultraface"}, "does not look like ultraface: outputs output [1, 126, 8]"),
    ("no-such-family", models.yolox, {"family": "yolo99"}, "there is no family 'yolo99'; pass --family with one of:"),
]


@pytest.mark.parametrize(("build", "passed", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_not_sure_is_refused_with_what_to_pass(
    tmp_path: Path, build: Callable[[], Any], passed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelUnrecognisedError) as refused:
        import_model(models.save(build(), tmp_path), tmp_path / "out", **passed)
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_what_two_families_fit_by_shape_the_values_decide(tmp_path: Path) -> None:
    """112 columns on three strides: a NanoDet of COCO's 80 classes or a YOLOX of 107; a NanoDet begins with scores."""
    file = models.save(models.yolox((64, 64), classes=107), tmp_path)
    assert load_bundle(import_model(file, tmp_path / "out")).card.decoder.family == "yolox"
    with pytest.raises(ModelUnrecognisedError, match="does not look like nanodet"):
        import_model(file, tmp_path / "out", family="nanodet")


def test_metadata_outweigh_the_shape(tmp_path: Path) -> None:
    """52 classes by name: without metadata the same shape is refused, for a pose model has it too."""
    names = {index: f"n{index}" for index in range(52)}
    graph = models.yolov8(classes=52, metadata=models.ultralytics_metadata(names=str(names)))
    card = load_bundle(import_model(models.save(graph, tmp_path), tmp_path / "out")).card
    assert (card.decoder.family, card.labels[51], card.labels_from) == ("yolov8", "n51", "metadata")
    assert card.licence == "AGPL-3.0"


@pytest.mark.parametrize(
    "names",
    ["__import__('os').system('true')", "{0: 'a', 2: 'b'}", "[" * 5000, "{" + "0: 'a'," * 90_000 + "}", "12"],
    ids=["code", "gap", "deep", "long", "number"],
)
def test_names_that_are_no_plain_list_are_not_taken(tmp_path: Path, names: str) -> None:
    graph = models.yolov8(metadata=models.ultralytics_metadata(names=names))
    with pytest.raises(
        ModelUnrecognisedError, match=r"metadata name classes, but not as a list from 0.*; pass --labels FILE"
    ):
        import_model(models.save(graph, tmp_path), tmp_path / "out")


def test_labels_say_where_they_come_from(tmp_path: Path) -> None:
    told = import_model(models.save(models.yolox(), tmp_path), tmp_path / "a", labels=models.NAMES)
    numbered = import_model(models.save(models.yolox(), tmp_path), tmp_path / "b")
    assumed = import_model(models.save(models.yolox(classes=80), tmp_path), tmp_path / "c")
    face = import_model(models.save(models.ultraface(), tmp_path), tmp_path / "d")
    cards = [load_bundle(folder).card for folder in (told, numbered, assumed, face)]
    assert [card.labels_from for card in cards] == ["file", "numbered", "assumed-coco80", "family"]
    assert cards[0].labels == models.NAMES
    assert cards[1].labels == ("class-0", "class-1", "class-2")
    assert cards[2].labels == COCO80
    assert cards[3].labels == ("face",)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "bolt\nnut\r\nwasher\n\n", models.NAMES),
        ("a.yaml", "names: [bolt, nut, washer]", models.NAMES),
        ("a.yaml", "path: x\nnames:\n  0: bolt\n  1: nut\n  2: washer\n", models.NAMES),
        ("a.yml", "- bolt\n- nut\n- washer\n", models.NAMES),
    ],
)
def test_label_files_of_every_kind_are_read(tmp_path: Path, name: str, text: str, expected: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text)
    assert read_labels(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "has an empty label"),
        ("a.txt", "bolt\n\nnut", "has an empty label"),
        ("a.yaml", "names: 3", "has no list of names"),
        ("a.yaml", "a: [", "is not plain YAML"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "is not plain YAML"),
        (".", "", "cannot be read as labels"),
    ],
)
def test_label_files_that_are_none_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    if name != ".":
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelUnrecognisedError, match=said):
        read_labels(tmp_path / name)


def test_a_given_reading_needs_no_rule(tmp_path: Path) -> None:
    """A YOLOX cut to strides that no rule knows."""
    g = Graph()
    table = g.features("images", (16,), 6)
    boxes, scores = g.add("Sigmoid", g.slice(table, 0, 4, 1)), g.add("Sigmoid", g.slice(table, 4, 6, 1))
    g.add("Transpose", g.add("Concat", boxes, scores, axis=1), perm=[0, 2, 1], name="out")
    file = models.save(g.model([image((64, 64))], [tensor("out", [1, 16, 6])]), tmp_path)
    reading = tmp_path / "reading.yaml"
    reading.write_text(
        "decoder: yolox\nparams: {strides: [16]}\noutputs: [out]\nlabels: [cat]\n"
        "feed: {channels: rgb, align: stretch, std: [255, 255, 255]}\n"
    )
    card = load_bundle(import_model(file, tmp_path / "out", given=reading)).card
    assert (card.decoder.family, card.labels, card.input.align) == ("yolox", ("cat",), "stretch")
    assert card.source.recognised_by == "yolox: given by reading.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decoder: yolox", "$: Object missing required field `outputs`"),
        ("decoder: yolox\noutputs: []\nlabels: [a]\nfeed: {}", "$.outputs: Expected `array` of length >= 1"),
        ("{", "cannot be read as plain YAML"),
        (
            "decoder: yolox\noutputs: [o]\nlabels: [a]\nfeed: {channels: rgb, align: left}",
            "$.feed.align: Invalid enum value 'left'",
        ),
    ],
)
def test_a_given_reading_with_an_error_is_refused_with_its_path(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "reading.yaml").write_text(text)
    with pytest.raises(CardError) as refused:
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "out", given=tmp_path / "reading.yaml")
    assert said in str(refused.value)


def test_a_given_reading_that_names_another_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reading.yaml").write_text(
        "decoder: yolox\noutputs: [boxes]\nlabels: [a]\nfeed: {channels: rgb, align: centre}"
    )
    with pytest.raises(ModelUnrecognisedError, match="has no output boxes; its outputs are output"):
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "out", given=tmp_path / "reading.yaml")


def test_every_family_file_says_its_source() -> None:
    import importlib

    for family in family_names():
        module = importlib.import_module(f"vigie_devkit.models.families.{family}")
        assert "Source:" in (module.__doc__ or ""), family


def test_raw_and_decoded_yolox_are_told_apart_by_their_values(tmp_path: Path) -> None:
    raw = prepare(models.save(models.yolox(), tmp_path))
    decoded = prepare(models.save(models.yolox(decoded=True), tmp_path))
    assert recognise(raw.signature).params == {}
    assert recognise(decoded.signature).params == {"decoded": True}
