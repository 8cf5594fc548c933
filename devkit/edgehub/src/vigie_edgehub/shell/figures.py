"""The hub in figures: counters, queues and connections, as plain JSON."""

from __future__ import annotations

import msgspec

from vigie_edgehub.message import UPSTREAM
from vigie_edgehub.ports import JsonObject
from vigie_edgehub.state.core import HubState


def figures(state: HubState, *, disk_bytes: int) -> JsonObject:
    """Everything that `hub status --json` shows of the rules."""
    endpoints = {
        endpoint: {"waiting": len(queue), "delivered": queue.delivered, "expired": queue.expired}
        for endpoint, queue in state.queues.by_endpoint.items()
    }
    for slot in state.delivery.slots():
        endpoints[slot.queue.endpoint]["waiting"] += slot.copy is not None
    endpoints.setdefault(UPSTREAM, {"delivered": 0, "expired": 0})["waiting"] = state.uplink.waiting
    return {
        "counters": msgspec.to_builtins(state.counters),
        "endpoints": endpoints,
        "stored_messages": state.queues.stored_messages,
        "stored_bytes": state.queues.stored_bytes,
        "disk_bytes": disk_bytes,
        "methods_pending": state.methods.pending,
        "connections": len(state.sessions.links),
        "clients": {
            client: {"connected": session.link is not None, "subscriptions": sorted(session.filters)}
            for client, session in state.sessions.by_client.items()
        },
    }
