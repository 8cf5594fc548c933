"""What the rules want done. The shell does it in order, and stores before it sends."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from vigie_edgehub.message import CopyTarget, Message
from vigie_edgehub.mqtt.packets import Packet
from vigie_edgehub.ports import HubRefusalError, MethodResult


class Send(msgspec.Struct, frozen=True, gc=False):
    """``packet`` to the client of ``link``."""

    link: int
    packet: Packet


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Stored message ``seq`` to an input of the client of ``link``."""

    link: int
    packet_id: int
    dup: bool
    seq: int
    endpoint: str


class Close(msgspec.Struct, frozen=True, gc=False):
    """End the connection; ``abrupt`` resets it, otherwise what was sent before still leaves."""

    link: int
    abrupt: bool = False


class Store(msgspec.Struct, frozen=True, gc=False):
    """Keep ``message`` for ``targets``, on disk, before anything that follows is sent."""

    seq: int
    size: int
    message: Message
    targets: list[CopyTarget]


class Settle(msgspec.Struct, frozen=True, gc=False):
    """``endpoint`` needs ``seq`` no more (delivered, expired, or its queue was removed)."""

    seq: int
    endpoint: str


class SendUpstream(msgspec.Struct, frozen=True, gc=False):
    """Hand these stored messages to the sink, then tell the rules how it went."""

    seqs: list[int]


class AnswerCall(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one direct method call."""

    call: str
    outcome: MethodResult | HubRefusalError


class SaveSession(msgspec.Struct, frozen=True, gc=False):
    client_id: str


class SaveTwin(msgspec.Struct, frozen=True, gc=False):
    module: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """One line for the log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    fields: dict[str, Any]


Effect: TypeAlias = Send | Deliver | Close | Store | Settle | SendUpstream | AnswerCall | SaveSession | SaveTwin | Note
