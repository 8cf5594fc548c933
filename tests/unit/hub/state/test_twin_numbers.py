"""A number that cannot be written again is refused before it is kept: it would poison the twin for ever."""

from __future__ import annotations

import pytest

from vigie_edgehub.ports import TwinRefusedError
from vigie_edgehub.state.json_bytes import decode_json
from vigie_edgehub.state.twin_limits import check_patch, check_reported


@pytest.mark.parametrize("body", [b'{"x": 1e400}', b'{"x": {"y": -1e999}}', b'{"x": [1, [1e400]]}'])
def test_a_number_that_reads_as_infinity_is_refused(body: bytes) -> None:
    patch = decode_json(body)
    with pytest.raises(TwinRefusedError, match="too large"):
        check_reported(patch)
    with pytest.raises(TwinRefusedError, match="too large"):
        check_patch(patch, what="desired")


def test_what_is_nested_too_deep_is_not_json() -> None:
    with pytest.raises(ValueError, match="too deep"):
        decode_json(b"[" * 100_000)


@pytest.mark.parametrize("body", [rb'{"x": "\ud800"}', rb'{"\udfff": 1}', rb'{"x": [{"y": "a\ud800b"}]}'])
def test_half_a_character_is_not_json(body: bytes) -> None:
    """Found by fuzzing: it was kept, and no answer with it could be written any more."""
    with pytest.raises(ValueError, match="surrogates"):
        decode_json(body)
    assert decode_json(rb'{"x": "\ud83d\ude00"}') == {"x": "\U0001f600"}
