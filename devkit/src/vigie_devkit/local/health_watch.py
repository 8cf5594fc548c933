"""Ends a module of the run that runs and makes no progress: it asks /healthz, and the supervisor starts it anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from vigie import health_restarts
from vigie.log import get_logger
from vigie_devkit.local.health_keeper import HealthAnswer, HealthKeeper
from vigie_devkit.local.metrics import ask_health
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.supervisor import Supervisor

log = get_logger("up")
EVERY_S = 5.0


class HealthWatch:
    """One task for all modules; a restart of one does not delay the look at the others."""

    def __init__(
        self,
        supervisor: Supervisor,
        run: RunPaths,
        modules: Sequence[str],
        note: Callable[[str], None],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``note``: shows a sentence to whoever runs this. ``clock``: monotonic seconds, what a row of bad answers is
        measured by.
        """
        self._every_s, self._clock = every_s, clock
        self._supervisor, self._run, self._modules, self._note = supervisor, run, modules, note
        self._keeper = HealthKeeper()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as restarts:
            while True:
                await asyncio.sleep(self._every_s)
                programs = self._supervisor.programs
                pids = {module: programs[module].pid for module in self._modules if module in programs}
                asked = {module: pid for module, pid in pids.items() if pid is not None}
                answers = await asyncio.gather(*(self._ask(module, pid) for module, pid in asked.items()))
                for (module, pid), answer in zip(asked.items(), answers, strict=True):
                    reason = self._keeper.look(module, pid, answer, self._clock())
                    if reason is not None:
                        restarts.create_task(self._restart(module, reason), name=f"local.restart.{module}")

    async def _ask(self, module: str, pid: int) -> HealthAnswer:
        return await ask_health(self._run.module(module), pid)

    async def _restart(self, module: str, reason: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            count = health_restarts.record(self._run.module(module), reason=reason, by="vigie up", at=at).count
        except OSError as error:
            log.warning("health_restart_not_recorded", module=module, reason=str(error))
            count = 0
        log.warning("module_makes_no_progress", module=module, reason=reason, restarts=count)
        self._note(f"vigie: {module} makes no progress and is started anew: {reason}")
        try:
            await self._supervisor.restart(module)
        except (LookupError, TimeoutError) as error:
            log.warning("module_not_restarted", module=module, reason=str(error))
