"""Logs never show a password."""

from __future__ import annotations

import pickle

import pytest

from vigie.log import OncePer, Redacted, SecretUrl, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@h/x", "rtsp://u:***@h/x"),
        (
            "cannot open rtsp://u:p%40q@h:554/x?y=1, and http://a:b@c",
            "cannot open rtsp://u:***@h:554/x?y=***, and http://a:***@c",
        ),
        ("rtsp://u:${DOCK}@h/", "rtsp://u:${DOCK}@h/"),
        ("rtsp://h:554/x", "rtsp://h:554/x"),
        ("SharedAccessSignature sr=h&sig=abc%3D&se=1", "SharedAccessSignature sr=h&sig=***&se=1"),
        ("HostName=h;SharedAccessKey=abc=;DeviceId=d", "HostName=h;SharedAccessKey=***;DeviceId=d"),
        ("nothing: to@hide", "nothing: to@hide"),
    ],
)
def test_credentials_are_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("secret", [Redacted("geheim"), SecretUrl("rtsp://u:geheim@h", "rtsp://u:${P}@h")])
def test_a_secret_shows_itself_nowhere_but_when_revealed(secret: Redacted) -> None:
    assert "geheim" not in f"{secret} {secret!r} {[secret]} {secret:>40}"
    assert "geheim" in secret.reveal()
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_repeated_line_is_let_through_once_per_interval() -> None:
    once = OncePer(3600.0)
    assert [once.ready("a"), once.ready("a"), once.ready("b")] == [0, None, 0]
