"""Pictures and detections of one frame come together, whatever comes late, twice or never."""

from __future__ import annotations

from support.viewer import detections_of, frame_item
from vigie_viewer.matching import SILENT_S, WAITING_MAX, Pairing, PendingFrame


def waiting(seq: int) -> PendingFrame[bytes]:
    return PendingFrame(frame_item(seq))


def test_a_picture_is_shown_with_the_detections_of_its_own_frame() -> None:
    pairing: Pairing[bytes] = Pairing(detected_at=10.0)
    frames = [waiting(seq) for seq in range(3)]
    assert [pairing.frame(one, 10.1) for one in frames] == [None, None, None]
    shown = pairing.detections(detections_of(frames[1].frame), 10.2)
    assert shown is not None
    assert shown[0] is frames[1]
    assert shown[1].seq == 1


def test_detections_that_come_before_their_frame_wait_for_it() -> None:
    pairing: Pairing[bytes] = Pairing()
    found = detections_of(frame_item(7))
    assert pairing.detections(found, 10.0) is None
    late = waiting(7)
    assert pairing.frame(late, 10.1) == (late, found)


def test_a_picture_is_shown_alone_while_inference_is_silent() -> None:
    pairing: Pairing[bytes] = Pairing(detected_at=10.0)
    one = waiting(0)
    assert pairing.frame(one, 10.0 + SILENT_S + 0.1) == (one, None)


def test_a_camera_that_began_anew_never_gets_the_boxes_of_the_former_frame_of_that_number() -> None:
    pairing: Pairing[bytes] = Pairing(detected_at=10.0)
    pairing.frame(PendingFrame(frame_item(3, boot="bbbbbbbb")), 10.1)
    assert pairing.detections(detections_of(frame_item(3, boot="aaaaaaaa")), 10.2) is None


def test_what_never_finds_its_other_half_is_bounded() -> None:
    pairing: Pairing[bytes] = Pairing(detected_at=10.0)
    for seq in range(5 * WAITING_MAX):
        pairing.frame(waiting(seq), 10.1)
        pairing.detections(detections_of(frame_item(seq, boot="other000")), 10.1)
    assert len(pairing.waiting) == WAITING_MAX
    assert len(pairing.early) == WAITING_MAX
