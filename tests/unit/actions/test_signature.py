"""The signature of Standard Webhooks, against the example that its libraries are tested with."""

from __future__ import annotations

import pytest

from vigie.log import Redacted
from vigie_actions.sinks.signature import headers_of, key_of


def test_the_specifications_example_gives_its_signature() -> None:
    key = key_of(Redacted("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = headers_of(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"])
def test_a_secret_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected whsec_ and the base64 of 24 to 64 random bytes"):
        key_of(Redacted(text))
