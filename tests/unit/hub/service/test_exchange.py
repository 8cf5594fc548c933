"""Bodies of the service's requests, as they come."""

from __future__ import annotations

import pytest

from vigie_edgehub.ports import HubRefusalError
from vigie_edgehub.service.exchange import read_object


class Request:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


@pytest.mark.parametrize(
    "body",
    [
        b'{"properties": {"desired": {"dee\xf0": {"x": [1]}}}}',  # found by an hour of fuzzing: it was a 500
        b'{"properties": "\xff"}',
        b"\x00",
        b"[1]",
        b"[" * 100_000,
    ],
)
async def test_a_body_that_is_no_json_object_is_refused_and_no_fault_of_the_hub(body: bytes) -> None:
    with pytest.raises(HubRefusalError, match="does not decode"):
        await read_object(Request(body))
