"""Reported properties: coalesced, paced, split below the limit, sent again after every reconnect."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from vigie.config.desired import merge, with_removals
from vigie.errors import TransientError
from vigie.log import get_logger

log = get_logger(__name__)

Json = dict[str, Any]

# edgeHub refuses a reported patch above 32,768 bytes of JSON.
PATCH_LIMIT_BYTES = 32_000
PACE_S = 0.5
_AFTER_FAILURE_S = 1.0


class Reporter:
    """``report`` from any thread; ``run`` sends on the event loop's behalf."""

    def __init__(self, send: Callable[[Json], None], *, pace_s: float = PACE_S) -> None:
        """``send`` blocks and raises TransientError. Made on the event loop it runs on."""
        self._send = send
        self._pace_s = pace_s
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._pending: Json = {}
        self._state: Json = {}
        self._former: Json = {}

    def remember(self, reported: Json) -> None:
        """What the twin holds of an earlier start; ``report_whole`` removes from it what is no longer so."""
        with self._lock:
            self._former = {key: value for key, value in reported.items() if not key.startswith("$")}

    def report_whole(self, name: str, value: Json | None) -> None:
        """Report ``value`` in place of all that ``name`` held: members that are gone are removed with null."""
        with self._lock:
            before = self._state.get(name, self._former.get(name))
        if isinstance(before, dict) and isinstance(value, dict):
            self.report({name: with_removals(before, value)})
        else:
            self.report({name: value})

    def report(self, patch: Json) -> None:
        """Merge ``patch`` into what will be reported next; null deletes."""
        with self._lock:
            self._pending = compose(self._pending, patch)
            self._state = merge(self._state, patch)
        with suppress(RuntimeError):  # a thread that outlives the loop: the process is ending
            self._loop.call_soon_threadsafe(self._wake.set)

    def state(self) -> Json:
        """Everything reported so far, merged; not to be changed."""
        with self._lock:
            return self._state

    def resend(self) -> None:
        """Whether the last patch arrived before the link dropped is not known: report everything again."""
        with self._lock:
            self._pending = compose(self._state, self._pending)
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                patch, self._pending = self._pending, {}
            if patch and not await self._send_all(patch):
                with self._lock:
                    self._pending = compose(patch, self._pending)
                self._wake.set()
                await asyncio.sleep(_AFTER_FAILURE_S)
            await asyncio.sleep(self._pace_s)

    async def _send_all(self, patch: Json) -> bool:
        for part in split(patch):
            try:
                await asyncio.to_thread(self._send, part)
            except TransientError as error:
                log.debug("report_postponed", reason=str(error))
                return False
        return True


def compose(first: Json, then: Json) -> Json:
    """One patch that does what two do one after the other; unlike a merge it keeps nulls."""
    result = dict(first)
    for key, value in then.items():
        before = result.get(key)
        result[key] = compose(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return result


def split(patch: Json) -> Iterator[Json]:
    """Patches below the limit, by top-level property; one that is too large alone is left out and logged."""
    part: Json = {}
    size = 2
    for key, value in patch.items():
        length = len(msgspec.json.encode({key: value}))
        if length > PATCH_LIMIT_BYTES:
            log.error("reported_property_too_large", property=key, size_bytes=length, limit_bytes=PATCH_LIMIT_BYTES)
            continue
        if part and size + length > PATCH_LIMIT_BYTES:
            yield part
            part, size = {}, 2
        part[key] = value
        size += length
    if part:
        yield part
