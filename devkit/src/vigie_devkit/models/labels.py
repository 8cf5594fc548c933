"""Class names: read from a file, or assumed where the count says so, and always said which."""

from __future__ import annotations

from pathlib import Path

import yaml

from vigie.errors import ModelUnrecognisedError
from vigie_devkit.models.recognition import Recognition
from vigie_devkit.models.signature import Signature

_LABEL_FILE_BYTES_MAX = 1 << 20

# The 80 categories of COCO 2017 in the order every 80-class export uses (cocodataset.org).
_COCO80 = """
person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,
bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,
snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,
knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,
dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,
vase,scissors,teddy bear,hair drier,toothbrush
"""
COCO80 = tuple(name.strip() for name in _COCO80.split(","))


def read_labels(file: Path) -> tuple[str, ...]:
    """Names from a text file (one a line) or YAML (a list, or ``names:`` as a list or ``{0: name}``).

    ``coco80`` in place of a file stands for the 80 classes of COCO.

    Raises: ModelUnrecognisedError: unreadable, empty, or not one of these forms.
    """
    if str(file) == "coco80":
        return COCO80
    try:
        if file.stat().st_size > _LABEL_FILE_BYTES_MAX:
            raise ModelUnrecognisedError(str(file), f"is larger than {_LABEL_FILE_BYTES_MAX} bytes; no label file is")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnrecognisedError(str(file), f"cannot be read as labels: {error}") from error
    names = _from_yaml(file, text) if file.suffix in {".yaml", ".yml"} else text.splitlines()
    labels = tuple(str(name).strip() for name in names)
    while labels and not labels[-1]:
        labels = labels[:-1]
    if not labels or not all(labels):
        raise ModelUnrecognisedError(str(file), "has an empty label; write one class name a line")
    return labels


def _from_yaml(file: Path, text: str) -> list[object]:
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ModelUnrecognisedError(str(file), "is not plain YAML") from error
    if isinstance(tree, dict):
        tree = tree.get("names", tree)
    if isinstance(tree, dict) and set(tree) == set(range(len(tree))):
        tree = [tree[index] for index in range(len(tree))]
    if not isinstance(tree, list):
        raise ModelUnrecognisedError(str(file), "has no list of names; write 'names: [first, second]'")
    return tree


def choose_labels(
    signature: Signature, reading: Recognition, told: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    """Labels and who named them. Raises: ModelUnrecognisedError: their count does not fit the model."""
    count, file = reading.class_count, signature.file
    if told is not None:
        if count is not None and len(told) != count:
            raise ModelUnrecognisedError(file, f"has {count} classes, {len(told)} labels were passed; pass {count}")
        return told, "file"
    if reading.labels is not None:
        return reading.labels, "family"
    embedded = signature.labels
    if embedded is not None and count in {None, len(embedded)}:
        return embedded, "metadata"
    if count == len(COCO80):
        return COCO80, "assumed-coco80"
    if count is None:
        raise ModelUnrecognisedError(file, "does not say how many classes it has; pass --labels FILE, one name a line")
    return tuple(f"class-{index}" for index in range(count)), "numbered"
