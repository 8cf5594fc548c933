"""What modules send each other, and what lies in the frame folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from fuzz.registry import Call, target
from support.mutation import Mutations


@target
def messages(_: Path) -> tuple[Mutations, Call]:
    from vigie.messaging.inputs import InputQueue
    from vigie.messaging.schemas import _SCHEMAS
    from vigie.messaging.session import RawMessage
    from vigie.metrics import Metrics

    class Nobody:
        def processed(self, *_: Any, **__: Any) -> None: ...

    queues = [
        InputQueue("in", kind, schema, capacity=4, acknowledge=Nobody(), metrics=Metrics())
        for kind, schema in _SCHEMAS.items()
    ]
    seeds = [_envelope(kind, str(schema)) for kind, schema in _SCHEMAS.items()]

    def call(data: bytes) -> None:
        for queue in queues:
            queue.put(RawMessage("in", data, {}, 0))
            while (received := queue.get(0.0)) is not None:
                received.done()

    return Mutations(seeds), call


def _envelope(kind: Any, schema: str) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        item[field.encode_name] = example(field.type)
    return {"schema": schema, "module": "camera", "boot": "0badc0de", "sent": 1, "items": [item]}


def example(kind: Any) -> Any:
    schema = msgspec.json.schema(kind)
    return _of(schema, schema.get("$defs", {}))


def _of(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _of(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return _of(schema["anyOf"][0], known)
    if "enum" in schema or "const" in schema:
        return schema["enum"][0] if "enum" in schema else schema["const"]
    match schema.get("type"):
        case "object":
            return {name: _of(one, known) for name, one in schema.get("properties", {}).items()}
        case "array":
            inner = (
                schema.get("prefixItems") or [schema["items"]] * 2
                if "items" in schema
                else schema.get("prefixItems", [])
            )
            return [_of(one, known) for one in inner if isinstance(one, dict)]
        case "integer":
            return 1
        case "number":
            return 0.5
        case "boolean":
            return True
        case "string":
            return "2026-01-01T00:00:00.000000+00:00" if "date" in str(schema) else "dock"
    return None


@target
def inline_pictures(_: Path) -> tuple[Mutations, Call]:
    import numpy as np

    from vigie.contracts.pixels import InlineJpeg
    from vigie.errors import VigieError
    from vigie.frames.inline import decode_inline, encode_inline, jpeg_size_hw

    seeds = [encode_inline(np.full((h, w, 3), 90, np.uint8)).jpeg for h, w in ((16, 16), (40, 64))]

    def call(data: bytes) -> None:
        size = jpeg_size_hw(data) or (16, 16)
        with contextlib.suppress(VigieError):
            decode_inline(InlineJpeg(data, (*size, 3), size))

    return Mutations(seeds), call


@target
def ring_headers(_: Path) -> tuple[Mutations, Call]:
    from vigie.errors import RingRefusedError
    from vigie.frames.layout import RingGeometry, RingHeader, pack_header, parse_header

    seeds = [pack_header(RingHeader(RingGeometry(slots, 4096), 7)) + bytes(64) for slots in (1, 6)]

    def call(data: bytes) -> None:
        with contextlib.suppress(RingRefusedError):
            header = parse_header(data, 1 << 20)
            assert header.geometry.total_bytes <= 1 << 20

    return Mutations(seeds), call
