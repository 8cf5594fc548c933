"""Direct methods: one meaning of each status."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from vigie.errors import ConfigRefusedError, HubUnavailableError, MethodRefusedError
from vigie.messaging.methods import Methods


class SetRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fps: Annotated[int, msgspec.Meta(ge=1)] = 5


class Rate(msgspec.Struct, frozen=True):
    fps: int


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"fps": 7}, (200, {"fps": 7})),
        (None, (200, {"fps": 5})),
        ({"fps": 0}, (400, "$.fps")),
        ({"rate": 1}, (400, "$.rate")),
        ([1], (400, "$")),
    ],
    ids=["request", "null", "range", "unknown", "not an object"],
)
@pytest.mark.parametrize("kind", ["function", "coroutine"])
async def test_requests_and_replies_are_typed(payload: Any, expected: tuple[int, Any], kind: str) -> None:
    async def on_loop(request: SetRate) -> Rate:
        return Rate(request.fps)

    methods = Methods()
    methods.register("set_rate", SetRate, on_loop if kind == "coroutine" else lambda request: Rate(request.fps))
    status, reply = await methods.dispatch("set_rate", payload)
    assert status == expected[0]
    assert (reply if status == 200 else reply["path"]) == expected[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MethodRefusedError(409, "camera is starting"), 409),
        (MethodRefusedError(404, "no camera 'x'"), 404),
        (ConfigRefusedError("$.x", "no"), 400),
        (HubUnavailableError("away"), 503),
        (ZeroDivisionError("oops"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_what_a_handler_raises_becomes_a_status(error: Exception, status: int) -> None:
    def fail(_request: SetRate) -> None:
        raise error

    methods = Methods()
    methods.register("set_rate", SetRate, fail)
    got, reply = await methods.dispatch("set_rate", {})
    assert got == status
    assert str(error) in reply["error"]


async def test_an_unknown_method_is_answered_with_those_there_are() -> None:
    methods = Methods()
    methods.register("get_status", SetRate, lambda _: {})
    assert await methods.dispatch("get", {}) == (404, {"error": "no method 'get'; there are: get_status"})
