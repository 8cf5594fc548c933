"""How an output sends: what its module and its twin say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from vigie.contracts.envelope import Schema


class OutputOptions(TypedDict, total=False):
    """What a module may say of an output: see ``OutputSettings``."""

    window_messages: int
    linger_ms: float
    max_outstanding: int
    depth: int
    route_linger_ms: float
    bell_messages: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How an output sends.

    ``window_messages``: in flight until the consumer has processed them. ``linger_ms``: wait for more items to join;
    ``route_linger_ms``: the same where messages go by the route, each of which costs much more than a doorbell.
    ``max_outstanding``: items pending or in flight above which ``wait_for_room`` waits. ``depth``: items without
    ``keep`` that may wait per key; the default 1 means the newest wins. ``timeout_s``: least patience with a consumer.
    ``bell_messages``: the window on the doorbell. ``sampled``: a consumer that takes what it can and misses nothing by
    the rest (the viewer); drops are not counted.
    """

    name: str
    schema: Schema
    window_messages: int = 2
    linger_ms: float = 0.0
    max_outstanding: int = 16
    depth: int = 1
    timeout_s: float = 3.0
    route_linger_ms: float = 0.0
    bell_messages: int = 2
    sampled: bool = False
