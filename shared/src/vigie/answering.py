"""Direct methods, from the link's thread to an answer: dispatched on the event loop, recorded, then answered."""

from __future__ import annotations

import asyncio

from vigie.audit.auditor import Auditor
from vigie.audit.record import method_entry
from vigie.config.desired import well_formed
from vigie.log import get_logger
from vigie.messaging.methods import Methods
from vigie.messaging.session import MethodCall

log = get_logger("vigie.service")


class Answering:
    """``take`` from any thread; everything else on the loop."""

    def __init__(self, methods: Methods, auditor: Auditor, loop: asyncio.AbstractEventLoop) -> None:
        self._methods, self._auditor, self._loop = methods, auditor, loop
        # Kept in a set: the loop holds tasks weakly. A TaskGroup would end the service with one failed answer.
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, call: MethodCall) -> None:
        """Answer ``call``, which may take as long as its handler does."""
        self._loop.call_soon_threadsafe(self._begin, call)

    def _begin(self, call: MethodCall) -> None:
        task = self._loop.create_task(self._answer(call), name=f"method.{call.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: MethodCall) -> None:
        asked = well_formed(call.payload)
        status, payload = await self._methods.dispatch(call.name, asked)
        await self._auditor.record(method_entry(call.name, asked, status, payload))
        try:
            await asyncio.to_thread(call.reply, status, payload)
        except Exception as error:
            log.warning("method_not_answered", method=call.name, reason=str(error))
