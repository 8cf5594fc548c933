"""Direct methods of the viewer module."""

from __future__ import annotations

import msgspec

from vigie.messaging.methods import NoRequest
from vigie.service import Service
from vigie_viewer.config import ViewerConfig
from vigie_viewer.sessions import Sessions


class EndSessionsReply(msgspec.Struct, frozen=True):
    """How many sessions were ended; their pages close within seconds."""

    ended: int


def offer_methods(service: Service[ViewerConfig], sessions: Sessions) -> None:
    """Answer ``end_sessions``."""

    async def end_sessions(_request: NoRequest) -> EndSessionsReply:
        # On the event loop, where sessions live: a coroutine, not a plain function on a thread.
        return EndSessionsReply(sessions.close_all())

    service.method("end_sessions", NoRequest, end_sessions)
