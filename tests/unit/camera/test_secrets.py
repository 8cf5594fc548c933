"""Secrets in sources: found, encoded, and shown nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.camera_module import camera_module, until
from vigie.errors import SecretMissingError
from vigie.secrets import SecretStore
from vigie.source_url import read_network_source
from vigie_camera.secrets import reveal

CANARY = "c4nary-S3cret"


def test_a_file_comes_before_its_variable_and_loses_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "DOOR").write_text("from file\r\n", encoding="utf-8")
    (tmp_path / "DOOR.host").write_text("h", encoding="utf-8")
    environ = {
        "VIGIE_SECRET_DOOR": "from a variable",
        "VIGIE_SECRET_HOST_DOOR": "h",
        "VIGIE_SECRET_OTHER": "a/b",
        "VIGIE_SECRET_HOST_OTHER": "h",
    }
    url = reveal(read_network_source("rtsp://u:${DOOR}@h/x?pw=${OTHER}"), SecretStore(tmp_path, environ))
    assert url.reveal() == "rtsp://u:from%20file@h:554/x?pw=a%2Fb"
    assert repr(url) == str(url) == f"{url}" == "rtsp://u:${DOOR}@h/x?pw=${OTHER}"


def test_every_character_that_means_something_in_a_url_is_encoded(tmp_path: Path) -> None:
    environ = {"VIGIE_SECRET_S": "a@b:c/d?e#f%g &ü\r\n", "VIGIE_SECRET_HOST_S": "h"}
    url = reveal(read_network_source("rtsp://u:${S}@h/"), SecretStore(tmp_path, environ))
    assert url.reveal() == "rtsp://u:a%40b%3Ac%2Fd%3Fe%23f%25g%20%26%C3%BC%0D%0A@h:554/"


def test_a_secret_that_is_nowhere_is_named_and_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError) as missing:
        reveal(read_network_source("rtsp://u:${DOOR}@h/"), SecretStore(tmp_path, {"DOOR": CANARY}))
    assert str(missing.value) == (
        f"secret 'DOOR' is not a readable file in {tmp_path}; write {tmp_path}/DOOR with the value "
        f"and {tmp_path}/DOOR.host with the host that may get it"
    )


async def test_no_secret_is_seen_when_a_camera_cannot_be_reached(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """FFmpeg prints the URL that it cannot open; ours is a process where it must not."""
    secret = {"VIGIE_SECRET_DOOR": CANARY, "VIGIE_SECRET_HOST_DOOR": "127.0.0.1"}
    async with camera_module(tmp_path, **secret) as module:
        module.set(
            door={"source": "rtsp://guard:${DOOR}@127.0.0.1:9/live?password=${DOOR}"},
            lost={"source": "rtsp://guard:${NOWHERE}@127.0.0.1:9/live"},
        )
        await until(lambda: module.state("door").get("state") == "failed", "failed")
        await until(lambda: module.state("lost").get("state") == "failed", "failed")
        assert "secret 'NOWHERE' is not a readable file" in module.state("lost")["reason"]
        version = module.set(plain={"source": f"rtsp://guard:{CANARY}@127.0.0.1:9/live"})
        await until(lambda: module.acknowledgement().get("av") == version, "refused")
        assert module.acknowledgement()["ac"] == 400
        replies = await asyncio.gather(
            module.invoke("list_cameras"), module.invoke("snapshot", {"camera": "door"}), module.invoke("get_status")
        )
        shown = repr(module.hub.reported("camera")) + repr(replies) + module.service.metrics.exposition().decode()
        assert "guard:${DOOR}@" in shown
        for path in (tmp_path / "state").rglob("*"):
            shown += path.read_text(errors="replace") if path.is_file() else ""
    printed = capfd.readouterr()
    assert CANARY not in shown + printed.out + printed.err
