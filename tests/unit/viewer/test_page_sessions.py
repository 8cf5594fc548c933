"""Who may see the page."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from support.modules import environment
from vigie.errors import ConfigRefusedError
from vigie_viewer.local_peer import is_own, owner
from vigie_viewer.page_sessions import PageSessions
from vigie_viewer.settings import PageSettings

TOKEN = "correct horse battery"


def test_only_the_right_token_opens_a_session_and_only_until_it_ends() -> None:
    now = [0.0]
    sessions = PageSessions(TOKEN, lambda: now[0])
    sessions.lasts_s = 60.0
    assert sessions.open("wrong") is None
    session = sessions.open(TOKEN)
    assert session is not None
    assert sessions.valid(session)
    assert not sessions.valid("guessed")
    assert not sessions.valid(None)
    now[0] = 59.0
    assert sessions.valid(session)  # and lasts anew
    now[0] = 118.0
    assert sessions.valid(session)
    now[0] = 200.0
    assert not sessions.valid(session)


def test_guessing_is_slowed_down_even_for_the_right_token() -> None:
    now = [0.0]
    sessions = PageSessions(TOKEN, lambda: now[0])
    assert [sessions.open(f"guess {n}") for n in range(10)] == [None] * 10
    assert sessions.open(TOKEN) is None
    now[0] = 6.5
    assert sessions.open(TOKEN) is not None


def test_end_sessions_signs_everybody_out() -> None:
    sessions = PageSessions(TOKEN)
    opened = [sessions.open(TOKEN) for _ in range(3)]
    assert sessions.close_all() == 3
    assert not any(sessions.valid(session) for session in opened)


def test_a_page_that_others_can_reach_has_a_token_of_its_own(tmp_path: Path) -> None:
    env = environment("viewer", tmp_path)
    settings = PageSettings.from_environ(env, {"VIGIE_PAGE": "0.0.0.0:8710"})
    assert settings.token is not None
    assert settings.token_file is not None
    assert stat.S_IMODE(settings.token_file.stat().st_mode) == 0o600
    again = PageSettings.from_environ(env, {"VIGIE_PAGE": "0.0.0.0:8710"})
    assert again.token == settings.token
    assert PageSettings.from_environ(env, {}).token is None


def test_the_operators_secret_wins_and_a_short_one_is_refused(tmp_path: Path) -> None:
    env = environment("viewer", tmp_path)
    env.secrets.mkdir()
    (env.secrets / "viewer_token").write_text(f"{TOKEN}\n")
    assert PageSettings.from_environ(env, {}).token == TOKEN
    (env.secrets / "viewer_token").write_text("short")
    with pytest.raises(ConfigRefusedError, match="at least 12 characters"):
        PageSettings.from_environ(env, {})


@pytest.mark.parametrize("text", ["nonsense", "127.0.0.1:99999", ":x"])
def test_an_address_that_is_not_one_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigRefusedError, match="VIGIE_PAGE"):
        PageSettings.from_environ(environment("viewer", tmp_path), {"VIGIE_PAGE": text})


def test_a_certificate_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefusedError, match="VIGIE_PAGE_TLS"):
        PageSettings.from_environ(environment("viewer", tmp_path), {"VIGIE_PAGE_TLS": "/none.pem,/none.key"})


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_tells_whose_connection_it_is(family: int, address: str) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        try:
            listener.bind((address, 0))
        except OSError:
            return  # no IPv6 here: nothing to ask the kernel about
        listener.listen()
        client.connect(listener.getsockname()[:2])
        server, peer = listener.accept()
        with server:
            assert owner(peer[:2], server.getsockname()[:2]) == os.getuid()
            assert is_own(peer[:2], server.getsockname()[:2])
            assert owner((address, 1), server.getsockname()[:2]) is None
