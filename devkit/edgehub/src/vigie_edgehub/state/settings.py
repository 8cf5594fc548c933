"""Every time-out and bound of the hub's rules, so that tests and users can change them."""

from __future__ import annotations

import msgspec


class HubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults are edgeHub's where it has them (docs/edgehub-facts.md)."""

    ack_timeout_s: float = 30.0
    """A receiver that does not PUBACK gets the message again after this."""

    hold_grace_s: float = 1.5
    """Inputs of a resumed session wait this long for a SUBSCRIBE: the SDK drops what arrives before its handler."""

    drain_quiet_s: float = 0.3
    """A link is closed once nothing came for this long; an earlier close can leave the SDK a zombie."""

    drain_limit_s: float = 3.0
    """... but at the latest after this."""

    keep_alive_factor: float = 1.5
    upstream_batch: int = 100
    upstream_retry_s: float = 0.5
    upstream_retry_max_s: float = 10.0
    cleanup_interval_s: float = 30.0
    """How often queues are searched for expired messages that nobody fetched."""

    max_stored_bytes: int = 1 << 30
    """Bodies and properties of all waiting messages; above it PUBLISHes are not acknowledged."""

    max_stored_messages: int = 250_000
    """The same for their number: each costs about 600 bytes of memory."""

    max_unacked_publishes: int = 256
    """Publishes one link may have waiting for room; the SDK keeps at most 20 in flight."""

    twin_gets_per_s: float = 20.0
    """Above it a client's twin GETs are answered later, never refused: the SDK asks again at once."""

    token_grace_s: float = 300.0
    """A rightly signed token is accepted so long after its expiry, with a warning (docs/edgehub-facts.md, Renewal)."""

    connect_within_s: float = 10.0
    """A connection whose CONNECT has not come by then is closed; modules send it at once."""

    max_silent: int = 128
    """Connections without a CONNECT, on each port; above it the oldest is closed. 100 links fit beside them into 256
    file descriptors, the least that a hub is started with."""

    max_silent_per_peer: int = 64
    """The same for one address. On one machine all modules have the same, and start together."""

    max_links: int = 100
