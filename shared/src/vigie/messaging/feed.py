"""The twin as a feed of accepted configurations: first from disk, then from the hub, always the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from vigie.config.desired import FAILED, REFUSED, Acknowledgements, Desired, VersionGapError, apply_patch
from vigie.config.lastgood import LastGood
from vigie.config.schema import decode_config
from vigie.errors import ConfigRefusedError, TransientError
from vigie.health import Health
from vigie.log import get_logger
from vigie.messaging.reported import Reporter

log = get_logger(__name__)

C = TypeVar("C")
Json = dict[str, Any]

_RETRY_S = 0.5


class TwinFeed(Generic[C]):
    """Decodes desired properties into ``C`` and hands each accepted version to the module.

    A refused version changes nothing: what ran before goes on, and the acknowledgement names path and reason.
    """

    def __init__(
        self,
        config_type: type[C],
        last_good: LastGood,
        get_twin: Callable[[], Json],
        reporter: Reporter,
        health: Health,
    ) -> None:
        """Made on the event loop. ``get_twin`` blocks and raises TransientError."""
        self.current: C | None = None
        self.version: int | None = None
        self.config_type = config_type
        self._last_good = last_good
        self._get_twin = get_twin
        self._reporter = reporter
        self._health = health
        self._loop = asyncio.get_running_loop()
        self._latest: Desired | None = None
        self._settled: Desired | None = None
        self._acknowledgements = Acknowledgements()
        self._changed = asyncio.Event()
        self._full_wanted = asyncio.Event()
        self._stored = last_good.load()
        health.not_ready("twin", "no accepted configuration yet; none on disk, and the hub has not been reached")

    def report(self, patch: Json) -> None:
        """Report properties; merged, paced, and sent again after a reconnect. From any thread."""
        self._reporter.report(patch)

    def reported(self) -> Json:
        """What this start has reported so far. From any thread."""
        return self._reporter.state()

    def patched(self, patch: Json) -> None:
        """A desired patch came. From any thread, in any order."""
        self._loop.call_soon_threadsafe(self._take_patch, patch)

    def online(self) -> None:
        """The link is up (again): patches may have been missed. From any thread."""
        self._loop.call_soon_threadsafe(self._full_wanted.set)

    async def fetch(self) -> None:
        """Get the full twin whenever it is wanted; runs as a task for the life of the service."""
        while True:
            await self._full_wanted.wait()
            self._full_wanted.clear()
            try:
                twin = await asyncio.to_thread(self._get_twin)
            except TransientError as error:
                log.info("twin_get_postponed", reason=str(error))
                await asyncio.sleep(_RETRY_S)
                self._full_wanted.set()
                continue
            self._latest = Desired.from_document(twin.get("desired", {}))
            self._changed.set()
            self._reporter.resend()

    async def run(self, apply: Callable[[C, C | None], Awaitable[None]]) -> None:
        """Call ``apply(new, previous)`` for each version that decodes, one at a time, newest only; for ever.

        ``apply`` may raise ConfigRefusedError: ``previous`` has to be in force again, and stays the current one.
        """
        if self._stored is not None and self._latest is None:
            log.info("twin_from_disk", twin_version=self._stored.version)
            await self._settle(self._stored, apply)
        while True:
            await self._changed.wait()
            self._changed.clear()
            latest = self._latest
            if latest is not None and latest != self._settled:
                await self._settle(latest, apply)

    async def _settle(self, desired: Desired, apply: Callable[[C, C | None], Awaitable[None]]) -> None:
        try:
            config = decode_config(self.config_type, desired.properties)
            if config != self.current:
                await apply(config, self.current)
        except ConfigRefusedError as error:
            self._settled = desired
            self._refuse(desired, error.path, error.reason, REFUSED)
        except Exception as error:
            # Not settled: the same version is tried again when the hub gives it again.
            log.exception("twin_apply_failed", twin_version=desired.version)
            self._refuse(desired, "$", f"{type(error).__name__}: {error}", FAILED)
        else:
            self.current, self.version, self._settled = config, desired.version, desired
            self._health.ready("twin")
            log.info("twin_accepted", twin_version=desired.version)
            self._reporter.report(self._acknowledgements.accepted(desired, config))
            if desired != self._stored:
                self._stored = desired
                await asyncio.to_thread(self._last_good.save, desired)

    def _refuse(self, desired: Desired, path: str, reason: str, code: int) -> None:
        log.warning("twin_refused", twin_version=desired.version, path=path, reason=reason)
        if self.current is None:
            self._health.not_ready("twin", f"no accepted configuration: {path}: {reason}")
        self._reporter.report(self._acknowledgements.refused(desired, self.current, path, reason, code=code))

    def _take_patch(self, patch: Json) -> None:
        if self._latest is None:
            self._full_wanted.set()
            return
        try:
            patched = apply_patch(self._latest, patch)
        except VersionGapError:
            log.info("twin_version_gap", held=self._latest.version, came=patch.get("$version"))
            self._full_wanted.set()
            return
        if patched is not self._latest:
            self._latest = patched
            self._changed.set()
