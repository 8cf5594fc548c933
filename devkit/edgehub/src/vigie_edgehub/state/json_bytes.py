"""JSON in and out as the wire has it."""

from __future__ import annotations

import json

from vigie_edgehub.ports import Json


def encode_json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode_json(body: bytes) -> Json:
    """Raises: ValueError: not JSON in UTF-8 (neither are NaN, Infinity, and half a character, a lone surrogate)."""
    text = body.decode()
    try:
        value = json.loads(text, parse_constant=_refuse)
        if "\\u" in text:
            encode_json(value)  # what could not be written again must not be kept
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")
