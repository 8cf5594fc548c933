"""Direct methods of the viewer module."""

from __future__ import annotations

import msgspec

from vigie.messaging.methods import NoRequest
from vigie.service import Service
from vigie_viewer.config import ViewerConfig
from vigie_viewer.occurrences import Occurrences
from vigie_viewer.page_sessions import PageSessions


class EndSessionsReply(msgspec.Struct, frozen=True):
    """How many sessions were ended; their pages close within seconds."""

    ended: int


class ForgetEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``forget_events``: of one camera, or of all."""

    camera: str | None = None


class ForgetEventsReply(msgspec.Struct, frozen=True):
    """How many events went, with their pictures. Erase them in sync first: it would tell of them again."""

    events: int


def offer_methods(service: Service[ViewerConfig], sessions: PageSessions, occurrences: Occurrences) -> None:
    """Answer ``end_sessions`` and ``forget_events``."""

    async def forget_events(request: ForgetEvents) -> ForgetEventsReply:
        return ForgetEventsReply(occurrences.forget(request.camera))

    service.method("forget_events", ForgetEvents, forget_events)

    async def end_sessions(_request: NoRequest) -> EndSessionsReply:
        # On the event loop, where sessions live: a coroutine, not a plain function on a thread.
        return EndSessionsReply(sessions.close_all())

    service.method("end_sessions", NoRequest, end_sessions)
