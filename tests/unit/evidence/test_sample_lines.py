"""One line of ``samples.jsonl``: what the device writes and `vigie models train --from-samples` reads."""

from __future__ import annotations

import msgspec
import pytest

from vigie.contracts.detections import Detection
from vigie.contracts.samples import Sample, Truth

LINE = {
    "schema": "vigie.sample/1",
    "picture": "2026-11-28/dock-1f3a.jpg",
    "sha256": "ab" * 32,
    "camera": "dock",
    "trace": "dock-1-77",
    "captured_at": "2026-11-28T10:42:00.100Z",
    "frame_hw": [360, 640],
    "model": "parts@1f2e",
    "reasons": ["low_confidence", "random"],
}


def test_a_line_is_read_as_it_was_written() -> None:
    sample = Sample(
        picture="2026-11-28/dock-1f3a.jpg",
        sha256="ab" * 32,
        camera="dock",
        trace="dock-1-77",
        captured_at="2026-11-28T10:42:00.100Z",
        frame_hw=(360, 640),
        model="parts@1f2e",
        reasons=("low_confidence",),
        detections=(Detection("nut", 1, 0.31, (1.0, 2.0, 30.0, 40.0)),),
        hidden=((0.0, 0.0, 10.0, 10.0),),
        truth=(Truth("nut", (1.0, 2.0, 31.0, 40.0)),),
    )
    line = msgspec.json.encode(sample)
    assert msgspec.json.decode(line, type=Sample) == sample
    assert msgspec.json.decode(line)["schema"] == "vigie.sample/1"


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"picture": "/etc/passwd.jpg"}, "$.picture"),
        ({"picture": "day/../../x.jpg"}, "$.picture"),
        ({"picture": "day/a b.jpg"}, "$.picture"),
        ({"sha256": "AB"}, "$.sha256"),
        ({"reasons": []}, "$.reasons"),
        ({"reasons": ["bored"]}, "$.reasons"),
        ({"schema": "vigie.sample/2"}, "$.schema"),
    ],
    ids=["absolute", "leaves the folder", "space", "hash", "no reason", "unknown reason", "another version"],
)
def test_a_line_that_could_be_misread_is_refused_with_its_path(changed: dict[str, object], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({**LINE, **changed}, type=Sample)
    assert path in str(caught.value)


def test_nobody_looked_is_not_the_same_as_nothing_is_there() -> None:
    assert msgspec.convert(LINE, type=Sample).truth is None
    assert msgspec.convert({**LINE, "truth": []}, type=Sample).truth == ()
