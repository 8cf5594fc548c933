"""What a direct method may look like (edgeHub, MethodRequestValidator.cs)."""

from __future__ import annotations

from vigie_edgehub.ports import HubRefusalError

MAX_NAME = 100
MAX_PAYLOAD_BYTES = 131_072


def check_method(name: str, payload: bytes, response_timeout_s: float, connect_timeout_s: float) -> None:
    """Raises: HubRefusalError."""
    if not name or len(name) > MAX_NAME:
        raise HubRefusalError(f"methodName has {len(name)} characters, expected 1..{MAX_NAME}")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise HubRefusalError(f"payload has {len(payload)} bytes, expected at most {MAX_PAYLOAD_BYTES}")
    if not 5 <= response_timeout_s <= 300:
        raise HubRefusalError(f"responseTimeoutInSeconds is {response_timeout_s:g}, expected 5..300")
    if not 0 <= connect_timeout_s <= 300:
        raise HubRefusalError(f"connectTimeoutInSeconds is {connect_timeout_s:g}, expected 0..300")
