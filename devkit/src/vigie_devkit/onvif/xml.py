"""XML that somebody on the network sent: bounded in bytes, depth and elements, without a document type. Pure.

Entities can only be declared in a document type, so without one no answer grows in memory or names a file of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

BYTES_MAX: Final = 512 * 1024
_DEPTH_MAX: Final = 64
_ELEMENTS_MAX: Final = 20_000
_TEXT_MAX: Final = 2_000
_SHOWN_MAX: Final = 300


class XmlError(Exception):
    """Not XML that is read here."""


class Element:
    """A node. ``name``: without its namespace, which ONVIF's answers do not need to be told apart by."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes = name, attributes
        self.children: list[Element] = []
        self.text = ""

    def all(self, name: str) -> Iterator[Element]:
        """Every element of this name below, in document order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def first(self, *path: str) -> Element | None:
        """The first element below of the first name, then of the next below it, and so on."""
        found: Element | None = self
        for name in path:
            found = next(found.all(name), None) if found is not None else None
        return found

    def said(self, *path: str) -> str:
        """The text of ``first``, fit to be printed; empty if it is missing."""
        found = self.first(*path)
        return "" if found is None else printable(found.text)


def printable(text: str) -> str:
    """``text`` in one line without what commands a terminal, and not too long."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_SHOWN_MAX]


def parse(answer: bytes) -> Element:
    """The root element. Raises: XmlError."""
    if len(answer) > BYTES_MAX:
        raise XmlError("too long")
    root = Element("", {})
    open_elements = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _ELEMENTS_MAX or len(open_elements) > _DEPTH_MAX:
            raise XmlError("too many elements")
        element = Element(_local(name), {_local(key): value[:_TEXT_MAX] for key, value in attributes.items()})
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_name: str) -> None:
        open_elements.pop()

    def text(piece: str) -> None:
        element = open_elements[-1]
        if len(element.text) < _TEXT_MAX:
            element.text = (element.text + piece)[:_TEXT_MAX]

    def doctype(*_: object) -> None:
        raise XmlError("has a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    try:
        parser.Parse(answer, True)
    except expat.ExpatError as error:
        raise XmlError(f"is not XML (line {error.lineno})") from None
    except (ValueError, LookupError):
        raise XmlError("is in an unknown encoding") from None
    return root


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
