"""What a camera's URL may hold, and what of it is shown."""

from __future__ import annotations

import pytest

from vigie.errors import SourceRefusedError
from vigie.source_url import literals, read_network_source, redact, shown

CANARY = "c4naryS3cret"


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://cam/",
        "rtsp://cam",
        "RTSP://Cam.Example:8554/Streaming/Channels/101",
        "rtsp://guard@10.0.0.7/live",
        "rtsp://guard:${DOOR}@10.0.0.7/live",
        "rtsp://${USER_1}:${DOOR}@[fd00::7]:554/live",
        "rtsp://10.0.0.7/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif",
        "rtsp://10.0.0.7/axis-media/media.amp?videocodec=h264&resolution=640x480",
        "rtsp://10.0.0.7/live?user=admin&password=${DOOR}",
        "rtsp://10.0.0.7/user=admin_password=${DOOR}_channel=1_stream=0.sdp?real_stream",
        "rtsps://10.0.0.7:7441/aB3?enableSrtp",
    ],
)
def test_urls_as_cameras_have_them_are_accepted(source: str) -> None:
    assert read_network_source(source).template == source
    assert redact(source) == source


@pytest.mark.parametrize(
    "hidden",
    [
        "rtsp://u:{}@h/x",
        "rtsp://h/x?pw={}",
        "rtsp://h/x?u=admin&p={}",
        "rtsp://h/user=admin_password={}_channel=1_stream=0.sdp",
        "rtsp://h/x?user=admin_password={}",
        "rtsp://h/x?key={}",
        "rtsp://h/x?auth={}&channel=1",
        "rtsp://h/x;token={}",
        "rtsp://user%3A{}@h/x",
        "rtsp://h/x?{}",
        "rtsp://h/x?channel=1#{}",
        "rtsp://u:pre${{DOOR}}{}@h/x",
        "rtsp://h/x?stream=${{A}}{}",
    ],
)
def test_a_value_in_the_open_needs_a_key_that_holds_no_secret_and_is_shown_nowhere(hidden: str) -> None:
    source = hidden.format(CANARY)
    with pytest.raises(SourceRefusedError) as refused:
        read_network_source(source)
    assert CANARY not in str(refused.value)
    assert "write ${SECRET_NAME} in its place" in str(refused.value)
    assert CANARY not in redact(f"cannot open {source}, and more") + shown(source)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("rtsp://h/a RTSP/1.0\r\nFLUSHALL", "a control character"),
        ("rtsp://h/a b", "a blank"),
        ("rtsp://h/a\x00", "a control character"),
        ("rtsp://h/ü", "another character"),
        ("rtsp://h/a\\b", "another character"),
        ("rtsp://h/a|b", "another character"),
        ("rtsp://h/${A}", "may stand as the user"),
        ("rtsp://${A}/x", "may stand as the user"),
        ("rtsp://h/x?channel=${A}&${B}=1", "write ${SECRET_NAME}"),
        ("rtsp://h/x/$A", "another character"),
        ("rtsp://u:${../outside}@h/", "another character"),
        ("rtsp:///x", "names no host"),
        ("rtsp://[con]/x", "not an IPv6 address"),
        ("rtsp://[::1/x", "expected rtsp://[address]"),
        ("rtsp://[::1]x/x", "expected rtsp://[address]"),
        ("rtsp://2130706433/x", "write four numbers"),
        ("rtsp://127.1/x", "write four numbers"),
        ("rtsp://0x7f000001/x", "write four numbers"),
        ("rtsp://0177.0.0.1/x", "write four numbers"),
        ("rtsp://h:0/x", "not a number from 1"),
        ("rtsp://h:65536/x", "not a number from 1"),
        ("rtsp://h:/x", "not a number from 1"),
        ("rtsp://h:\u0665/x", "another character"),
        ("rtmp://h/x", "expected rtsp://"),
        ("h/x", "expected rtsp://"),
    ],
)
def test_what_a_decoder_could_take_for_something_else_is_refused(source: str, why: str) -> None:
    with pytest.raises(SourceRefusedError) as refused:
        read_network_source(source)
    assert why in str(refused.value)
    assert "FLUSHALL" not in str(refused.value)


def test_the_host_can_be_put_in_as_an_address_and_nothing_else_changes() -> None:
    source = read_network_source("rtsp://guard:${DOOR}@Cam.Example/live?channel=1")
    assert (source.host, source.port, source.secrets) == ("cam.example", 554, ("DOOR",))
    assert source.address("10.0.0.7") == "rtsp://guard:${DOOR}@10.0.0.7:554/live?channel=1"
    assert source.address("fd00::7") == "rtsp://guard:${DOOR}@[fd00::7]:554/live?channel=1"


def test_a_password_with_a_slash_is_hidden_although_no_host_can_be_told() -> None:
    assert CANARY not in redact(f"rtsp://u:{CANARY}/x@host/live")
    assert CANARY not in redact(f"rtsp://u:a/{CANARY}@host/live")


def test_spans_are_those_of_the_values() -> None:
    url = "rtsp://u:one@h/a?pw=two&channel=3"
    assert [url[start:end] for start, end in literals(url)] == ["one", "two"]
