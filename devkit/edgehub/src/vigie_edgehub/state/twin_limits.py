"""What a twin may hold: edgeHub's rules for reported properties, IoT Hub's for what an operator writes.

Source: edgeHub, ReportedPropertiesValidator.cs; IoT Hub documentation "Understand and use device twins".
"""

from __future__ import annotations

import math

import msgspec

from vigie_edgehub.ports import Json, JsonObject, RefusalCode, TwinRefusedError

MAX_SECTION_BYTES = 32_768
MAX_TAGS_BYTES = 8_192
MAX_DEPTH = 10
MAX_KEY_BYTES = 1_024
MAX_STRING_BYTES = 4_096
MIN_INTEGER = -4_503_599_627_370_496
MAX_INTEGER = 4_503_599_627_370_495
_FORBIDDEN = frozenset(" .$#")


def check_patch(patch: Json, *, what: str) -> None:
    """Refuse ``patch`` (reported, desired or tags) as a whole. Raises: TwinRefusedError, with the path."""
    if not isinstance(patch, dict):
        raise TwinRefusedError(f"{what}: expected a JSON object, got {type(patch).__name__}")
    _check_object(patch, what, depth=1)


def check_reported(patch: Json) -> None:
    """As `check_patch`, and the size that edgeHub allows one patch of a module."""
    check_patch(patch, what="reported")
    size = len(msgspec.json.encode(patch))
    if size > MAX_SECTION_BYTES:
        raise TwinRefusedError(f"reported: patch of {size} bytes, expected at most {MAX_SECTION_BYTES}")


def check_size(section: JsonObject, *, what: str, limit: int = MAX_SECTION_BYTES) -> None:
    """Refuse a section that would grow beyond ``limit``, counted as IoT Hub counts. Raises: TwinRefusedError."""
    size = section_bytes(section)
    if size > limit:
        raise TwinRefusedError(f"{what}: {size} bytes, expected at most {limit}", RefusalCode.MessageTooLarge)


def section_bytes(value: Json) -> int:
    """UTF-8 length of keys and strings, 8 for a number, 4 for a bool or null; arrays are their elements."""
    if isinstance(value, dict):
        return sum(len(key.encode()) + section_bytes(child) for key, child in value.items())
    if isinstance(value, list):
        return sum(map(section_bytes, value))
    if isinstance(value, str):
        return len(value.encode())
    return 4 if value is None or isinstance(value, bool) else 8


def _check_object(value: JsonObject, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TwinRefusedError(f"{path}: deeper than {MAX_DEPTH} levels")
    for key, child in value.items():
        _check_key(key, path)
        _check_value(child, f"{path}.{key}", depth, in_array=False)


def _check_value(value: Json, path: str, depth: int, *, in_array: bool) -> None:
    if value is None and in_array:
        raise TwinRefusedError(f"{path}: null inside an array")
    if isinstance(value, str):
        size = len(value.encode())
        if size > MAX_STRING_BYTES:
            raise TwinRefusedError(f"{path}: string of {size} bytes, expected at most {MAX_STRING_BYTES}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, path)
    elif isinstance(value, dict):
        if in_array:
            _refuse_nulls(value, path)
        _check_object(value, path, depth + 1)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_value(child, f"{path}[{index}]", depth, in_array=True)


def _check_number(value: float, path: str) -> None:
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise TwinRefusedError(f"{path}: integer outside {MIN_INTEGER}..{MAX_INTEGER}")
    elif not math.isfinite(value):
        # 1e400 is JSON, and infinity once read: it could never be written again, in no later answer.
        raise TwinRefusedError(f"{path}: a number that is too large")


def _check_key(key: str, path: str) -> None:
    if not key or len(key.encode()) > MAX_KEY_BYTES:
        raise TwinRefusedError(f"{path}: a key of {len(key.encode())} bytes, expected 1..{MAX_KEY_BYTES}")
    for character in key:
        if character in _FORBIDDEN or ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0:
            raise TwinRefusedError(f"{path}: key {key!r} has a space, '.', '$', '#' or a control character")


def _refuse_nulls(value: JsonObject, path: str) -> None:
    for key, child in value.items():
        if child is None:
            raise TwinRefusedError(f"{path}.{key}: null in an object inside an array")
