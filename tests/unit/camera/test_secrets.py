"""Secrets in sources: found, encoded, and shown nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.camera_module import camera_module, until
from vigie.errors import SecretMissingError, SourceRefusedError
from vigie_camera.secrets import holds_plain_password, reveal
from vigie_camera.sources import plan_source

CANARY = "c4nary-S3cret"


def test_a_file_comes_before_the_environment_and_loses_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "DOOR").write_text("from file\r\n", encoding="utf-8")
    url = reveal("rtsp://u:${DOOR}@h/${OTHER}", tmp_path, {"DOOR": "from environment", "OTHER": "a/b"})
    assert url.reveal() == "rtsp://u:from%20file@h/a%2Fb"
    assert repr(url) == str(url) == f"{url}" == "rtsp://u:${DOOR}@h/${OTHER}"


def test_every_character_that_means_something_in_a_url_is_encoded(tmp_path: Path) -> None:
    url = reveal("rtsp://u:${S}@h/", tmp_path, {"S": "a@b:c/d?e#f%g &ü"})
    assert url.reveal() == "rtsp://u:a%40b%3Ac%2Fd%3Fe%23f%25g%20%26%C3%BC@h/"


def test_a_secret_that_is_nowhere_is_named_and_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError) as missing:
        reveal("rtsp://u:${DOOR}@h/", tmp_path, {})
    assert str(missing.value) == (
        f"secret 'DOOR' is neither a readable file in {tmp_path} nor in the environment; "
        f"write {tmp_path}/DOOR or set DOOR"
    )


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "1st", "a b"])
def test_a_name_cannot_leave_the_folder_of_secrets(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text(CANARY, encoding="utf-8")
    template = f"rtsp://u:${{{name}}}@h/"
    assert CANARY not in reveal(template, tmp_path / "secrets", {}).reveal()


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("rtsp://user:${DOOR}@host/x", False),
        ("rtsp://user@host/x", False),
        ("rtsp://host/x?user=a&password=${DOOR}", False),
        (f"rtsp://user:{CANARY}@host/x", True),
        (f"rtsp://user:pre${{DOOR}}{CANARY}@host/x", True),
        (f"rtsp://host/x?password={CANARY}", True),
        (f"RTSP://host/user=admin&pwd={CANARY}&channel=1", True),
    ],
)
def test_a_password_as_plain_text_is_found(source: str, plain: bool) -> None:
    assert holds_plain_password(source) is plain
    if plain:
        with pytest.raises(SourceRefusedError) as refused:
            plan_source(source)
        assert CANARY not in str(refused.value)
        assert "write ${SECRET_NAME} in its place" in str(refused.value)


async def test_no_secret_is_seen_when_a_camera_cannot_be_reached(tmp_path: Path, capfd) -> None:
    """FFmpeg prints the URL that it cannot open; ours is a process where it must not."""
    async with camera_module(tmp_path, DOOR=CANARY) as module:
        module.set(
            door={"source": "rtsp://guard:${DOOR}@127.0.0.1:9/live?password=${DOOR}"},
            lost={"source": "rtsp://guard:${NOWHERE}@127.0.0.1:9/live"},
        )
        await until(lambda: module.state("door").get("state") == "failed", "failed")
        await until(lambda: module.state("lost").get("state") == "failed", "failed")
        assert "secret 'NOWHERE' is neither" in module.state("lost")["reason"]
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
