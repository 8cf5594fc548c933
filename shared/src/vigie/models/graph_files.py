"""Which other files an ONNX file wants to be read with it: found in its bytes, without the onnx package.

A runtime that is given bytes resolves external data against the working directory, and provider contexts against any
path: what a graph names must be known before a runtime sees it.
Source: onnx/onnx.proto (field numbers), protobuf.dev/programming-guides/encoding (wire format).
"""

from __future__ import annotations

from enum import Enum, auto

_DEPTH_MAX = 64  # graphs inside nodes; a real one has 2 or 3
_CONTEXT_OPERATOR = b"EPContext"


class MalformedGraphError(ValueError):
    """Not a protobuf message of the shape that ONNX has."""


class _Kind(Enum):
    """A message that can hold a tensor somewhere below it."""

    MODEL = auto()
    GRAPH = auto()
    FUNCTION = auto()
    TRAINING = auto()
    NODE = auto()
    ATTRIBUTE = auto()
    SPARSE = auto()
    TENSOR = auto()
    ENTRY = auto()


_INNER: dict[_Kind, dict[int, _Kind]] = {
    _Kind.MODEL: {7: _Kind.GRAPH, 20: _Kind.TRAINING, 25: _Kind.FUNCTION},
    _Kind.TRAINING: {1: _Kind.GRAPH, 2: _Kind.GRAPH},
    _Kind.GRAPH: {1: _Kind.NODE, 5: _Kind.TENSOR, 15: _Kind.SPARSE},
    _Kind.FUNCTION: {7: _Kind.NODE, 11: _Kind.ATTRIBUTE},
    _Kind.NODE: {5: _Kind.ATTRIBUTE},
    _Kind.ATTRIBUTE: {
        5: _Kind.TENSOR,
        6: _Kind.GRAPH,
        10: _Kind.TENSOR,
        11: _Kind.GRAPH,
        22: _Kind.SPARSE,
        23: _Kind.SPARSE,
    },
    _Kind.SPARSE: {1: _Kind.TENSOR, 2: _Kind.TENSOR},
    _Kind.TENSOR: {13: _Kind.ENTRY},
}
_OPERATOR_OF_NODE = 4


class GraphFiles:
    """``locations``: of external data, as the graph writes them. ``contexts``: it holds nodes of compiled parts."""

    def __init__(self) -> None:
        self.locations: set[str] = set()
        self.contexts = False


def graph_files(content: bytes) -> GraphFiles:
    """Walk the whole message. Raises: MalformedGraphError."""
    found = GraphFiles()
    waiting = [(_Kind.MODEL, 0, len(content), 0)]
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > _DEPTH_MAX:
            raise MalformedGraphError(f"graphs are nested more than {_DEPTH_MAX} deep")
        if kind is _Kind.ENTRY:
            _entry(content, start, end, found)
            continue
        inner = _INNER[kind]
        at = start
        while at < end:
            number, wire, value, at = _field(content, at, end)
            if wire != 2:
                continue
            below = inner.get(number)
            if below is not None:
                waiting.append((below, value, at, depth + 1))
            elif kind is _Kind.NODE and number == _OPERATOR_OF_NODE and content[value:at] == _CONTEXT_OPERATOR:
                found.contexts = True
    return found


def _entry(content: bytes, start: int, end: int, found: GraphFiles) -> None:
    """One key and value of a tensor's external data."""
    key = value = b""
    at = start
    while at < end:
        number, wire, begin, at = _field(content, at, end)
        if wire == 2 and number == 1:
            key = content[begin:at]
        elif wire == 2 and number == 2:
            value = content[begin:at]
    if key == b"location":
        try:
            found.locations.add(value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise MalformedGraphError("a location of external data is not text") from error


def _field(content: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Number, wire type, where the value begins and where it ends."""
    tag, at = _varint(content, at, end)
    number, wire = tag >> 3, tag & 7
    if wire == 0:
        _, after = _varint(content, at, end)
    elif wire == 1:
        after = at + 8
    elif wire == 2:
        length, at = _varint(content, at, end)
        after = at + length
    elif wire == 5:
        after = at + 4
    else:
        raise MalformedGraphError(f"a field has the wire type {wire}, which ONNX does not use")
    if after > end:
        raise MalformedGraphError("a field ends beyond its message")
    return number, wire, at, after


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise MalformedGraphError("a number is cut off or too long")
