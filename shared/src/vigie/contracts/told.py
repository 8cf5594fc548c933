"""An event as sync tells the viewer of it: the same as goes to the cloud, numbered, with what is counted after it."""

from __future__ import annotations

import msgspec

from vigie.contracts.events import EventItem


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """``number`` counts the events since sync's start ``boot``, from 1: the viewer asks for those that it lacks.

    ``counts``, since that start: of a zone how many are inside, have entered, have left; of a line how many crossed it
    forward and backward; of other events empty.
    """

    boot: str
    number: int
    event: EventItem
    counts: tuple[int, ...] = ()
