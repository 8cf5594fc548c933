"""ONVIF over real sockets, against a device of our own: found, asked for its streams, not believed in all it says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.onvif_device import HOST, OnvifDevice, envelope, running
from vigie_devkit.cli import main
from vigie_devkit.onvif.camera import Profile, best, profiles_of
from vigie_devkit.onvif.discovery import discover, read_match
from vigie_devkit.onvif.soap import Login, OnvifError, ask
from vigie_devkit.onvif.xml import BYTES_MAX, XmlError, parse


def test_a_digest_is_what_the_profile_says_and_holds_no_password() -> None:
    login = Login("us<er", "userpassword", timedelta(hours=-1))
    header = login.header(datetime(2010, 9, 16, 8, 50, 45, tzinfo=UTC), b"0123456789abcdef")
    assert "2010-09-16T07:50:45Z" in header
    assert "us&lt;er" in header
    assert "userpassword" not in header
    expected = hashlib.sha1(b"0123456789abcdef" + b"2010-09-16T07:50:45Z" + b"userpassword").digest()
    found = re.search(r"PasswordDigest\">(.*?)<", header)
    assert found
    assert base64.b64decode(found[1]) == expected


@pytest.mark.parametrize("second", [True, False], ids=["media2", "media1"])
def test_a_device_is_found_and_says_its_streams_whatever_its_clock_and_version(second: bool) -> None:
    with running(OnvifDevice(second=second, ahead=timedelta(hours=7))) as device:
        [found] = discover([(HOST, device.discovery_port)], 0.4)
        assert (found.address, found.service) == (HOST, device.service)
        assert (found.name, found.hardware) == ("Dock [31m7", "AC-100")
        profiles = profiles_of(found.service, Login("viewer", device.password))
    assert profiles[0] == Profile("main", "H265", (3840, 2160), 15.0, f"rtsp://{HOST}:8554/main?a=1&b=2")
    assert [one.uri.rpartition("/")[2] for one in profiles] == ["main?a=1&b=2", "sub?a=1&b=2", "tiny?a=1&b=2"]
    chosen = best(profiles)
    assert chosen is not None
    assert chosen.name == "sub"


def test_a_wrong_password_and_none_are_told_as_that() -> None:
    with running(OnvifDevice()) as device:
        for login in (None, Login("viewer", "wrong"), Login("other", device.password)):
            with pytest.raises(OnvifError, match="user or password refused"):
                profiles_of(device.service, login)


def test_who_names_another_host_than_the_one_it_answers_from_is_not_asked() -> None:
    with running(OnvifDevice(xaddr_host="192.0.2.7")) as device:
        assert discover([(HOST, device.discovery_port)], 0.3) == []
    match = OnvifDevice(http_port=80).probe_match("1")
    assert read_match(match, HOST) is not None
    assert read_match(match, "127.0.0.2") is None
    assert read_match(b"\x00\xff", HOST) is None


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (BOMB, "has a document type"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "has a document type"),
        (b"<a>" * 100, "too many elements"),
        (b"<r>" + b"<a/>" * 30_000 + b"</r>", "too many elements"),
        (b"<a>" + b"x" * BYTES_MAX + b"</a>", "too long"),
        (b"<a>&b;</a>", "is not XML"),
        (b'<?xml version="1.0" encoding="rot13"?><a/>', "is not XML|unknown encoding"),
        (b"", "is not XML"),
        (b"\xff\xfe<", "is not XML"),
    ],
    ids=["entities", "file", "deep", "many", "long", "unknown-entity", "encoding", "empty", "utf16"],
)
def test_xml_that_would_cost_more_than_it_is_long_is_refused(answer: bytes, text: str) -> None:
    with pytest.raises(XmlError, match=text):
        parse(answer)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (BOMB, "has a document type"),
        (b"x" * (BYTES_MAX + 1), "too long"),
        (b"<html>login</html>", "not SOAP"),
        (envelope("<r/>"), "no media service|no video profile"),
    ],
)
def test_a_device_that_answers_something_else_is_told_by_what_it_is(answer: bytes, text: str) -> None:
    with running(OnvifDevice(hostile=answer)) as device, pytest.raises(OnvifError, match=text):
        profiles_of(device.service, Login("viewer", "x"))


def test_who_does_not_answer_costs_its_time_and_no_more() -> None:
    with pytest.raises(OnvifError, match="does not answer"):
        ask("http://127.0.0.1:9/onvif", "<x/>")


def test_the_command_lists_cameras_with_sources_for_the_twin_and_prints_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "dock.txt"
    with running(OnvifDevice()) as device:
        secret.write_text(device.password + "\n")
        where = ["cameras", "discover", "--address", f"{HOST}:{device.discovery_port}", "--seconds", "0.4"]
        assert main([*where, "--user", "viewer", "--password-file", str(secret), "--json"]) == 0
        [line] = capsys.readouterr().out.splitlines()
        described = json.loads(line)
        assert [one["source"] for one in described["profiles"] if one["best"]] == [f"rtsp://{HOST}:8554/sub?a=1&b=2"]
        assert main([*where, "--user", "viewer", "--password-file", str(secret)]) == 0
        text = capsys.readouterr().out
        assert f"  * rtsp://{HOST}:8554/sub?a=1&b=2    H264 1280x720 25 fps  sub" in text
        assert main(where) == 0
        without = capsys.readouterr().out
        assert "streams not known: user or password refused; see --user" in without
        for printed in (line, text, without):
            assert device.password not in printed
            assert "secret" not in printed
            assert "\x1b" not in printed
    assert main([*where[:-1], "0.1"]) == 1
    assert "no ONVIF camera answered" in capsys.readouterr().out
    assert main([*where, "--user", "viewer"]) == 2
    assert "go together" in capsys.readouterr().err
