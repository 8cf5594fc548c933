"""Who gets which picture: nothing is made for nobody, nobody is sent what it cannot take."""

from __future__ import annotations

from support.viewer import detections_of, frame_item
from vigie_viewer.audience import STALLED_S, UNACKNOWLEDGED_MAX, Audience, shared_width
from vigie_viewer.pacing import Pacer
from vigie_viewer.picture import Picture


class Page:
    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.closed: str | None = None

    def send(self, message: bytes) -> None:
        self.got.append(message)

    def close(self, reason: str) -> None:
        self.closed = reason


def picture(seq: int, width: int = 640) -> Picture:
    frame = frame_item(seq)
    return Picture(frame, detections_of(frame), width, b"jpeg")


def test_nobody_looks_and_nothing_is_wanted() -> None:
    audience = Audience()
    viewer = audience.join(Page())
    assert audience.wanted == {}
    audience.look(viewer, {"dock": (600, 10.0)})
    assert audience.wanted == {"dock": {640: 10.0}}
    audience.leave(viewer)
    assert audience.wanted == {}


def test_pages_of_one_size_share_a_picture_and_the_highest_rate() -> None:
    audience = Audience()
    pages = [Page(), Page()]
    for page, fps in zip(pages, (5.0, 10.0), strict=True):
        audience.look(audience.join(page), {"dock": (500, fps)})
    assert audience.wanted == {"dock": {640: 10.0}}
    audience.publish(picture(0))
    assert pages[0].got == pages[1].got
    assert len(pages[0].got) == 1


def test_a_page_that_draws_nothing_gets_two_pictures_and_costs_no_more() -> None:
    audience = Audience()
    page = Page()
    viewer = audience.join(page)
    audience.look(viewer, {"dock": (640, 30.0)})
    for seq in range(50):
        audience.publish(picture(seq))
    assert len(page.got) == UNACKNOWLEDGED_MAX
    assert audience.wanted == {"dock": {}}
    audience.drawn(viewer, "dock")
    assert audience.wanted == {"dock": {640: 10.0}}
    audience.publish(picture(60))
    assert len(page.got) == UNACKNOWLEDGED_MAX + 1


def test_a_stalled_page_is_closed_and_the_others_go_on() -> None:
    now = [0.0]
    audience = Audience(clock=lambda: now[0])
    stalled, healthy = Page(), Page()
    viewers = [audience.join(page) for page in (stalled, healthy)]
    for viewer in viewers:
        audience.look(viewer, {"dock": (640, 10.0)})
    audience.publish(picture(0))
    audience.drawn(viewers[1], "dock")
    now[0] = STALLED_S + 1
    audience.close_stalled()
    assert (stalled.closed, healthy.closed) == ("stalled", None)


def test_rates_and_sizes_are_bounded_by_the_twin() -> None:
    audience = Audience()
    audience.fps_max, audience.width_max = 5.0, 640
    audience.look(audience.join(Page()), {"dock": (9999, 60.0)})
    assert audience.wanted == {"dock": {640: 5.0}}


def test_widths_are_few_so_that_pages_share_them() -> None:
    assert [shared_width(width) for width in (1, 320, 321, 1000, 99_999)] == [320, 320, 640, 1280, 3840]


def test_a_pacer_keeps_the_rate_asked_for_over_uneven_frames() -> None:
    pacer = Pacer()
    taken = 0
    for at_ms in range(0, 10_000, 33):
        if pacer.due(1_000_000_000 + at_ms * 1_000_000, 10.0):
            pacer.took(1_000_000_000 + at_ms * 1_000_000)
            taken += 1
    assert 97 <= taken <= 102


def test_an_older_frame_is_never_shown_after_a_newer_one() -> None:
    pacer = Pacer()
    assert pacer.due(5_000_000_000, 10.0)
    pacer.took(5_000_000_000)
    assert not pacer.due(3_000_000_000, 10.0)


def test_the_message_is_length_then_json_then_jpeg() -> None:
    message = picture(4).message()
    length = int.from_bytes(message[:4], "big")
    assert message[4 + length :] == b"jpeg"
    assert b'"boxes":[["nut",0,0.9,8.0,8.0,24.0,40.0,"0badc0de-7"]]' in message[4 : 4 + length]


def test_no_detections_looked_for_is_not_the_same_as_none_found() -> None:
    alone = Picture(frame_item(0), None, 640, b"").message()
    assert b'"boxes":null' in alone
