"""Carries batches from the rules to the sink, on a thread of its own, and the outcome back."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from vigie.log import get_logger
from vigie_edgehub.message import Message
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.state.core import HubState
from vigie_edgehub.store.messages import MessageStore
from vigie_edgehub.upstream import SqliteSink

log = get_logger("hub")


class UpstreamFeed:
    """One batch at a time; ``performer.on_upstream`` is `send`."""

    def __init__(
        self, state: HubState, store: MessageStore, performer: Performer, sink: SqliteSink, clock: Clock
    ) -> None:
        self._state = state
        self._store = store
        self._performer = performer
        self._sink = sink
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub-upstream")
        self._closed = False

    def send(self, seqs: list[int]) -> None:
        if self._closed:
            return  # they stay in the store, and go at the next start
        messages = [message for seq in seqs if (message := self._message(seq)) is not None]
        future = self._thread.submit(self._sink.append, messages)
        future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._done, done))

    async def close(self) -> None:
        """Finish the batch in hand, then close the sink in its own thread."""
        self._closed = True
        await self._loop.run_in_executor(self._thread, self._sink.close)
        self._thread.shutdown()

    def _message(self, seq: int) -> Message | None:
        try:
            return self._store.message(seq)
        except (KeyError, OSError, ValueError) as error:
            self._state.counters.dropped_unsendable += 1
            log.error("message_unreadable", seq=seq, reason=repr(error))  # noqa: TRY400 - the reason says it all
            return None

    def _done(self, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:
            log.error("upstream_append_failed", reason=repr(error))
        self._state.upstream_stored(self._clock.now(), ok=error is None)
        self._performer.run()
