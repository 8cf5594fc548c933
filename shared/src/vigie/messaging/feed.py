"""The twin as a feed of accepted configurations: first from disk, then from the hub, always the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from vigie.audit.record import AuditEntry, asked_for, told, twin_entry
from vigie.config.desired import FAILED, REFUSED, Acknowledgements, Desired, VersionGapError, apply_patch, changes
from vigie.config.lastgood import LastGood
from vigie.config.parts import Parts
from vigie.errors import ConfigRefusedError, TransientError
from vigie.health import Health
from vigie.log import get_logger
from vigie.messaging.reported import Reporter

log = get_logger(__name__)

C = TypeVar("C")
Apply = Callable[[C, C | None], Awaitable[Mapping[str, str] | None]]
"""Puts a configuration in force; returns notes for the acknowledgement, by property, if there are any."""
Json = dict[str, Any]

_RETRY_S = 0.5
# A twin string may hold 4,096 bytes and an array 10 levels; this is a note, the log has the same.
_TOLD_MAX = 16
_TOLD_CHARACTERS = 160


class TwinFeed(Generic[C]):
    """Decodes desired properties into ``C`` and hands each accepted version to the module.

    A part with a mistake (a property, a camera) changes nothing: what ran before goes on, and the acknowledgement
    names path and reason. The other parts of the same version take effect.
    """

    def __init__(
        self,
        config_type: type[C],
        last_good: LastGood,
        get_twin: Callable[[], Json],
        reporter: Reporter,
        health: Health,
        *,
        record: Callable[[AuditEntry], Awaitable[None]],
    ) -> None:
        """Made on the event loop. ``get_twin`` blocks and raises TransientError; ``record`` is the audit log."""
        self.current: C | None = None
        self.version: int | None = None
        self.config_type = config_type
        self._last_good = last_good
        self._get_twin = get_twin
        self._reporter = reporter
        self._health = health
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._notes: Mapping[str, str] = {}
        self._latest: Desired | None = None
        self._settled: Desired | None = None
        self._acknowledgements = Acknowledgements()
        self._changed = asyncio.Event()
        self._full_wanted = asyncio.Event()
        self._stored = last_good.load()
        health.not_ready("twin", "no accepted configuration yet; none on disk, and the hub has not been reached")

    def report_whole(self, name: str, value: Json | None) -> None:
        """Report one property as a whole: members that it had and has no more are removed. From any thread."""
        self._reporter.report_whole(name, value)

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

    def again(self) -> None:
        """Something that a part of the newest version was refused for has changed: apply that version once more.

        From any thread.
        """
        self._loop.call_soon_threadsafe(self._take_again)

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
            self._acknowledgements.remember(twin.get("reported", {}))
            self._reporter.remember(twin.get("reported", {}))
            self._changed.set()
            self._reporter.resend()

    async def run(self, apply: Apply[C]) -> None:
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

    async def _settle(self, desired: Desired, apply: Apply[C]) -> None:
        try:
            parts = Parts(self.config_type, desired.properties, self.current)
            while parts.config != self.current:
                try:
                    self._notes = await apply(parts.config, self.current) or {}
                except ConfigRefusedError as error:
                    parts.refuse(error)
                else:
                    break
        except ConfigRefusedError as error:
            self._settled = desired
            self._refuse(desired, error.path, error.reason, REFUSED)
            await self._audit_refusal(desired, error.path, error.reason, failed=False)
        except Exception as error:
            # Not settled: the same version is tried again when the hub gives it again.
            log.exception("twin_apply_failed", twin_version=desired.version)
            reason = f"{type(error).__name__}: {error}"
            self._refuse(desired, "$", reason, FAILED)
            await self._audit_refusal(desired, "$", reason, failed=True)
        else:
            before, self.current = self.current, parts.config
            since, self.version, self._settled = self.version, desired.version, desired
            self._health.ready("twin")
            for mistake in parts.refused:
                log.warning("twin_refused", twin_version=desired.version, path=mistake.path, reason=mistake.reason)
            self._reporter.report(self._acknowledgements.accepted(desired, parts.config, parts.refused, self._notes))
            self._tell_changes(desired.version, before, parts.config)
            effective = Desired(desired.version, parts.properties)
            if effective != self._stored:
                self._stored = effective
                await asyncio.to_thread(self._last_good.save, effective)
            refused = [(str(one.path), asked_for(desired.properties, one.keys), one.reason) for one in parts.refused]
            await self._record(twin_entry(desired.version, since, changes(before, parts.config), refused))

    async def _audit_refusal(self, desired: Desired, path: str, reason: str, *, failed: bool) -> None:
        keys = path.removeprefix("$").replace("[", ".").replace("]", "").split(".")[1:]
        refused = [(path, asked_for(desired.properties, keys), reason)]
        await self._record(twin_entry(desired.version, self.version, [], refused, failed=failed, whole=True))

    def _tell_changes(self, version: int, before: C | None, after: C) -> None:
        """What changed, from what to what: one log line, and ``last_change`` among the reported properties."""
        changed = [
            {"path": path, "from": told(was, _TOLD_CHARACTERS), "to": told(now, _TOLD_CHARACTERS)}
            for path, was, now in changes(before, after)[:_TOLD_MAX]
        ]
        log.info("twin_accepted", twin_version=version, changed=changed if before is not None else "all, at start")
        if changed and before is not None:
            self._reporter.report_whole("last_change", {"version": version, "changed": changed})

    def _refuse(self, desired: Desired, path: str, reason: str, code: int) -> None:
        log.warning("twin_refused", twin_version=desired.version, path=path, reason=reason)
        if self.current is None:
            self._health.not_ready("twin", f"no accepted configuration: {path}: {reason}")
        self._reporter.report(self._acknowledgements.refused(desired, self.current, path, reason, code=code))

    def _take_again(self) -> None:
        self._settled = None
        self._changed.set()

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
