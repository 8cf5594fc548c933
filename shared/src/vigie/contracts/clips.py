"""Clips on a device's disk, for whoever sends them on: ``<name>.mp4`` with its facts in ``<name>.json`` beside it.

The facts are written last, so a clip that has them is whole. Both lie in the camera module's folder of clips
(``VIGIE_CLIPS``, by default ``clips`` in its state folder) until they are too old or too many; whoever needs a clip for
longer copies it, and finds the oldest gone at any moment. Where the device has a key both are sealed with it: read them
by ``vigie.clip_files``, which takes them either way.
"""

from __future__ import annotations

import msgspec

CLIP_SUFFIX = ".mp4"
FACTS_SUFFIX = ".json"


class ClipFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One clip. ``file``: its name in the folder; ``sha256`` and ``bytes`` of the whole file.

    ``started_at``: when its first frame came (UTC, to half a second); ``seconds``: how long it is; ``before_s``: how
    much of it was before it was asked for. ``before_asked_s``, ``after_asked_s``: what was asked for; it begins with a
    key frame, so it may be longer, and shorter where the camera was opened later or ``clips.bytes`` was reached.
    ``label``: what the asker called it, such as an event's id.
    """

    file: str
    camera: str
    bytes: int
    sha256: str
    started_at: str
    seconds: float
    before_s: float
    before_asked_s: float
    after_asked_s: float
    codec: str
    frame_hw: tuple[int, int]
    label: str | None = None
