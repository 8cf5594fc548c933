"""Pictures that were chosen for labelling and training: a folder with ``samples.jsonl``, one ``Sample`` per line.

The same folder lies on the device, in the blob container and on the machine that trains: paths are relative to the
manifest. A line that was written twice (after a kill) has the same ``picture``; the last one counts. What the model
saw is a proposal and never the truth: without ``truth`` somebody has to look at the picture first.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.detections import Detection

MANIFEST = "samples.jsonl"

# low_confidence: detections between the twin's two scores. random: a share of all frames, whatever is in them.
# disagreement: two variants of the model saw different things. drift: while the pictures or the model's scores are
# other than those that the model was made with.
Reason = Literal["low_confidence", "random", "disagreement", "drift"]

# No absolute path and none that leaves the folder; letters as blob names and file systems both take them.
PicturePath = Annotated[str, Meta(pattern=r"^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*\.(jpg|png)$", max_length=400)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Truth(msgspec.Struct, frozen=True):
    """What somebody says is in the picture. ``box_xyxy``: in pixels of ``Sample.frame_hw``, as of a Detection."""

    label: str
    box_xyxy: tuple[float, float, float, float]


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag="vigie.sample/1"):
    """One picture. ``frame_hw``: its size, in whose pixels all boxes are; ``sha256``: of the picture's file.

    ``trace``, ``captured_at``: of its frame. ``model``: name and version of who saw ``detections``, as in
    DetectionsItem; ``other``: what the second variant saw, where they disagree. ``hidden``: rectangles that were
    blurred or masked, so what lies in them is neither object nor background. ``truth``: set by whoever labels; an
    empty list says that there is nothing in it.
    """

    picture: PicturePath
    sha256: Sha256
    camera: str
    trace: str
    captured_at: str
    frame_hw: tuple[int, int]
    model: str
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]
    detections: tuple[Detection, ...] = ()
    other: tuple[Detection, ...] | None = None
    hidden: tuple[tuple[float, float, float, float], ...] = ()
    truth: tuple[Truth, ...] | None = None
