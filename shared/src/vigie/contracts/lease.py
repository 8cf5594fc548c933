"""What goes by the route so that claims need not: the sender's route lease, and the consumer's answer to it."""

from __future__ import annotations

import msgspec


class LeasedKey(msgspec.Struct, frozen=True):
    """Stands where the items of a message stand: a WHERE on ``$body.items[0].camera`` judges it the same way."""

    camera: str


class RouteLease(msgspec.Struct, frozen=True):
    """One message on the output, once a second for each camera; ``sent`` 0: it is no message of the stream.

    It holds only what is the same for every message of this camera: a WHERE that looks at anything else is not true
    of it, no doorbell is opened, and the hub goes on judging each message. ``nonce`` is known only to whom the route
    reaches; ``answers`` names the sender's socket in the signals folder; ``grace_s``: how long claims go on by
    doorbell while the hub is away.
    """

    schema: str
    module: str
    boot: str
    sent: int
    items: list[LeasedKey]
    nonce: str
    number: int
    answers: str
    grace_s: float


class LeaseAnswer(msgspec.Struct, frozen=True):
    """The consumer's datagram to the sender: ring ``doorbell`` for ``camera``, lease ``number`` has come.

    ``away``: no lease has come because the consumer's own link to the hub is down; ``camera`` and ``number`` mean
    nothing then.
    """

    nonce: str
    camera: str
    number: int
    consumer: str
    input: str
    doorbell: str
    away: bool = False
