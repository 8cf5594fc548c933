"""Tokens of modules: which are believed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.shell.tokens import TokenRefusedError, check_token, sign

KEY, OTHER = b64encode(b"k" * 32).decode(), b64encode(b"o" * 32).decode()
NOW = 1_000_000


def token(resource: str = "hub/devices/dev/modules/mod", *, key: str = KEY, expiry: str = str(NOW + 60)) -> str:
    encoded = quote(resource, safe="")
    signature = quote(sign(key, f"{encoded}\n{expiry}".encode()), safe="")
    return f"SharedAccessSignature sr={encoded}&sig={signature}&se={expiry}"


def check(text: str, *, module: str | None = "mod", grace_s: float = 0) -> float:
    return check_token(
        text, hostnames={"hub", "gateway"}, device="dev", module=module, keys=(KEY, OTHER), now=NOW, grace_s=grace_s
    )


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("host", ["hub", "HUB", "gateway"])
def test_a_right_token_is_believed_and_tells_its_expiry(key: Any, host: str) -> None:
    assert check(token(f"{host}/devices/dev/modules/mod", key=key)) == NOW + 60


def test_ids_compare_without_case_as_edge_hub_does() -> None:
    check(token("hub/devices/DEV/modules/Mod"))


def test_a_device_has_three_segments() -> None:
    check(token("hub/devices/dev"), module=None)
    with pytest.raises(TokenRefusedError):
        check(token("hub/devices/dev"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer x",
        "SharedAccessSignature ",
        "SharedAccessSignature sr=a&sig=b",
        token("elsewhere/devices/dev/modules/mod"),
        token("hub/devices/dev/modules/another"),
        token(key=b64encode(b"wrong").decode()),
        token(expiry=str(NOW - 1)),
        token(expiry="soon"),
        token(expiry="9" * 400),
        token().replace("sig=", "sig=%%%"),
        token().replace(f"se={NOW + 60}", f"se={NOW + 99999}"),
    ],
    ids=["empty", "bearer", "bare", "short", "host", "module", "key", "expired", "text", "huge", "sig", "stretched"],
)
def test_any_other_token_is_refused_and_the_reason_does_not_hold_it(text: Any) -> None:
    with pytest.raises(TokenRefusedError) as refusal:
        check(text)
    signature = text.partition("sig=")[2].partition("&")[0]
    assert not signature or len(signature) < 10 or signature not in str(refusal.value)


def test_an_expired_token_is_believed_within_the_grace() -> None:
    assert check(token(expiry=str(NOW - 10)), grace_s=30) == NOW - 10


@given(st.text(max_size=200))
def test_any_text_is_believed_or_refused(text: str) -> None:
    with pytest.raises(TokenRefusedError):
        check(text)
    with pytest.raises(TokenRefusedError):
        check("SharedAccessSignature " + text)
