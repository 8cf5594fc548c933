"""Which frames the camera module still knows by their number."""

from __future__ import annotations

from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import InlineJpeg, RingReference
from vigie_camera.recent import Recent


def item(seq: int, pixels: RingReference | InlineJpeg) -> FrameItem:
    return FrameItem("dock", seq, f"dock-0badc0de-{seq}", "2026-11-28T10:00:00Z", seq, (48, 64), pixels)


def found(recent: Recent, seq: int) -> bool:
    return recent.find("dock", seq, f"dock-0badc0de-{seq}") is not None


def test_a_frame_is_known_as_long_as_its_slot_has_no_other_however_many_come() -> None:
    recent = Recent()
    recent.note(item(0, RingReference("dock.1", 7, 2, (48, 64, 3))))
    for seq in range(1, 1000):
        recent.note(item(seq, RingReference("dock.1", seq % 7, 2 * seq, (48, 64, 3))))
    assert [seq for seq in range(1000) if found(recent, seq)] == [0, *range(993, 1000)]
    assert recent.find("dock", 0, "dock-00000000-0") is None, "of another start"


def test_frames_of_a_former_ring_are_forgotten() -> None:
    recent = Recent()
    recent.note(item(0, RingReference("dock.1", 0, 2, (48, 64, 3))))
    recent.note(item(1, RingReference("dock.2", 1, 2, (48, 64, 3))))
    assert (found(recent, 0), found(recent, 1)) == (False, True)


def test_frames_in_messages_are_known_by_number_up_to_a_bound() -> None:
    recent = Recent()
    for seq in range(200):
        recent.note(item(seq, InlineJpeg(b"", (48, 64, 3), (48, 64))))
    assert [seq for seq in range(200) if found(recent, seq)] == list(range(120, 200))
