"""Lines of the audit log as they lie on a disk: in the clear, or sealed with the device's key, each by itself.

The chain is of the lines as they were written, whatever lies on the disk: a key can be given or changed in the middle,
and what goes upstream, or to a notary, is the same either way. A sealed line shows its number alone.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.sealing import BrokenSealError, Seals, is_sealed

_BEGIN = b'{"n":'
_MARK = b',"sealed":"'
_NUMBER_BYTES = 24


class SealedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sealed``: base64 of the sealed line, which is bound to its number."""

    n: Annotated[int, Meta(ge=1)]
    sealed: str


def stored(line: bytes, number: int, seals: Seals) -> bytes:
    """``line`` (with its line feed) as it goes to the disk."""
    if seals.name is None:
        return line
    closed = base64.b64encode(seals.close(line.rstrip(b"\n"), _about(number))).decode()
    return msgspec.json.encode(SealedLine(number, closed)) + b"\n"


def is_stored_sealed(text: bytes) -> bool:
    return text.startswith(_BEGIN) and _MARK in text[: len(_BEGIN) + _NUMBER_BYTES + len(_MARK)]


def opened(text: bytes, seals: Seals) -> bytes:
    """A line without its line feed, as it was written; one in the clear as it is.

    Raises: SealedError: its key is not here. ValueError: it is not what was sealed.
    """
    if not is_stored_sealed(text):
        return text
    try:
        line = msgspec.json.decode(text, type=SealedLine)
        closed = base64.b64decode(line.sealed, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise ValueError(f"is not a sealed line of an audit log ({error})") from error
    if not is_sealed(closed):
        raise ValueError("is not a sealed line of an audit log")
    try:
        return seals.open(closed, _about(line.n))
    except BrokenSealError as error:
        raise ValueError(f"was changed: {error}") from error


def _about(number: int) -> str:
    return f"audit/{number}"
