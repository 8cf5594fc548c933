"""What the hub counts; names are part of `stats()` and of `./vigie hub stats`."""

from __future__ import annotations

import msgspec


class Counters(msgspec.Struct):
    received: int = 0
    """Publishes to routes that a module made, counted once each."""
    stored: int = 0
    dropped_no_route: int = 0
    dropped_bad_topic: int = 0
    dropped_too_large: int = 0
    dropped_qos2: int = 0
    dropped_unsendable: int = 0
    dropped_queue_removed: int = 0
    unrouted_twin_changes: int = 0
    """Notifications of reported patches that no route asks for: the usual case, nothing a module sent is lost."""
    duplicates: int = 0
    parked: int = 0
    """Publishes that had to wait, unacknowledged, for room in the store."""
    unparsable_twin_requests: int = 0
    twin_gets_delayed: int = 0
    methods_called: int = 0
    methods_unmatched: int = 0
    take_overs: int = 0
    refused_connects: int = 0
