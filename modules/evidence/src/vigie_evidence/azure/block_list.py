"""Names of blocks, and the two XML texts about them. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass

# The standard library's parser is enough: what defusedxml guards against, entities, is refused before it is parsed.
from xml.etree import ElementTree as ET

_XML_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the account has of a blob: bytes by the name of a block that is not committed; bytes that are."""

    waiting: dict[str, int]
    committed: bool


def block_name(sha256: str, block_bytes: int, index: int) -> str:
    """All names of a blob have the same length, as Azure wants; other content or cuts have other names."""
    return base64.b64encode(f"{sha256[:16]}-{block_bytes:07d}-{index:05d}".encode()).decode()


def read_block_list(text: bytes) -> Blocks:
    """The answer to Get Block List. Raises: ValueError."""
    if len(text) > _XML_BYTES or b"<!" in text:
        raise ValueError("the block list is not what a storage account sends")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no declarations: checked above
        waiting = {
            str(one.findtext("Name")): int(one.findtext("Size") or "")
            for one in root.findall("UncommittedBlocks/Block")
        }
    except ET.ParseError as error:
        raise ValueError(f"the block list is not XML: {error}") from error
    return Blocks(waiting, committed=root.find("CommittedBlocks/Block") is not None)


def block_list(names: list[str]) -> bytes:
    """The body of Put Block List."""
    latest = "".join(f"<Latest>{name}</Latest>" for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()
