"""One `up`, from the first process started to the last one gone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from vigie.contracts.names import CAMERA, INFERENCE, PREPROCESS, SYNC, VIEWER
from vigie_devkit.local import logfiles, summary
from vigie_devkit.local.agent import Agent
from vigie_devkit.local.beside import SERVES_WITHIN_S, Beside, awaited
from vigie_devkit.local.camera_cells import camera_states
from vigie_devkit.local.drain import Drain
from vigie_devkit.local.errors import Exit, HubFailedError, LocalError, ModuleFailedError, NoModelError
from vigie_devkit.local.footprint import folder_bytes, pss_bytes
from vigie_devkit.local.health_watch import HealthWatch
from vigie_devkit.local.leftovers import clear_leftovers
from vigie_devkit.local.metrics import MetricTotals, fetch_metrics, is_ready
from vigie_devkit.local.model_desk import serve_model_desk
from vigie_devkit.local.page import page_url
from vigie_devkit.local.paths import RunPaths, hub_says
from vigie_devkit.local.prepare import forget_secrets
from vigie_devkit.local.processes import ProcessId, start_ticks
from vigie_devkit.local.programs import HUB, hub_program, module_program
from vigie_devkit.local.record import RunRecord, write_record
from vigie_devkit.local.recording import Recording
from vigie_devkit.local.sources import CameraSource
from vigie_devkit.local.status import Status
from vigie_devkit.local.supervisor import Supervisor
from vigie_devkit.local.twins import TwinClient
from vigie_devkit.local.watch import Watch
from vigie_edgehub.agent import serve_agent
from vigie_edgehub.shell.socket_folder import socket_folder

T = TypeVar("T")

HUB_READY_WITHIN_S = 60.0
# After that the cameras start all the same: the reason why a module is not ready may need their frames to be seen.
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.25
LOOK_EVERY_LIVE_S = 1.0
CHORES_EVERY_S = 5.0
# The kernel walks every page for it, some 20 ms a process; the last look is at the end anyway.
FOOTPRINT_EVERY_S = 30.0
QUICK_ENDS_ALLOWED = 5


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What to run. ``seconds`` counts from the first frame captured."""

    run: RunPaths
    cameras: Sequence[CameraSource]
    modules: Sequence[str]
    bundle: Path
    listen: str
    beside: Sequence[Beside] = ()
    seconds: float | None = None
    finite: bool = False  # every camera ends by itself


@dataclass(frozen=True)
class Outcome:
    summary: summary.Summary
    exit_code: Exit
    complaint: str | None = None


class LocalRun:
    """Owns the processes of one run; `go` returns when all of them have ended."""

    def __init__(self, plan: RunPlan, status: Status, recording: Recording | None = None) -> None:
        self._plan, self._run, self._status, self._recording = plan, plan.run, status, recording
        self._supervisor = Supervisor(plan.run.folder)
        self._tally = MetricTotals()
        self._twins = TwinClient(plan.run.hub)
        self._watch = Watch(plan.cameras, plan.bundle, plan.beside)
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._pss: dict[str, int] = {}
        self._rings = 0
        self._begun = time.monotonic()
        self._chores_at = 0.0
        self._footprint_at = self._begun + FOOTPRINT_EVERY_S
        self._complaint: LocalError | None = None
        self._gave_up: str | None = None

    async def go(self) -> Outcome:
        """Run to the end: sources finished, time over, a signal, or something that cannot work."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means to go on
                loop.add_signal_handler(number, self._asked_to_stop)
        keeper: asyncio.Task[None] | None = None
        health: asyncio.Task[None] | None = None
        agent = AsyncExitStack()
        try:
            await agent.enter_async_context(
                serve_agent(self._run.hub, Agent(self._supervisor, self._run.hub_json).answer)
            )
            if VIEWER in self._plan.modules:
                await agent.enter_async_context(serve_model_desk(self._run.folder, self._status.note))
            self._supervisor.on_change = self._write_record
            self._supervisor.start(hub_program(self._run, self._plan.listen))
            keeper = asyncio.create_task(self._supervisor.run(), name="local.supervisor")
            await self._hub_ready()
            for module in self._plan.modules:
                if module != CAMERA and not self._stop.is_set():
                    self._supervisor.start(module_program(self._run, module))
            if self._recording is not None:
                self._recording.start(page_url(self._run))
            watch = HealthWatch(self._supervisor, self._run, self._plan.modules, self._status.note)
            health = asyncio.create_task(watch.run(), name="local.health")
            await self._until_done()
        except LocalError as error:
            self._complaint = error
        finally:
            await agent.aclose()
            if health is not None:
                health.cancel()
                await asyncio.wait([health])
            await self._end(keeper)
        return self._outcome()

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    # -- start --------------------------------------------------------------------------------------------------------

    async def _hub_ready(self) -> None:
        deadline = time.monotonic() + HUB_READY_WITHIN_S
        hub = self._supervisor.programs[HUB]
        while not self._stop.is_set():
            if hub.child is not None and hub_says(self._run.hub_json, "pid", int) == hub.pid:
                self._write_record()
                return
            if hub.last_exit is not None:
                raise HubFailedError(
                    f"the local hub did not start: {logfiles.last_words(self._run.log(HUB))} (log {self._run.log(HUB)})"
                )
            if time.monotonic() > deadline:
                raise HubFailedError(
                    f"the local hub was not ready within {HUB_READY_WITHIN_S:.0f} s; see {self._run.log(HUB)}"
                )
            await asyncio.sleep(0.02)

    def _write_record(self) -> None:
        children = {name: one.child for name, one in self._supervisor.programs.items()}
        write_record(
            self._run.record,
            RunRecord(
                up=ProcessId(os.getpid(), start_ticks(os.getpid()) or 0),
                started_at=datetime.now(UTC).isoformat(timespec="seconds"),
                listen=self._plan.listen,
                frames=str(self._run.frames),
                workload=str(socket_folder(self._run.hub)),
                sources={camera.name: camera.url for camera in self._plan.cameras},
                bundle=str(self._plan.bundle),
                processes={name: child.identity for name, child in children.items() if child},
            ),
        )

    # -- while it runs ------------------------------------------------------------------------------------------------

    async def _until_done(self) -> None:
        drain: Drain | None = None
        while not self._stop.is_set():
            await self._look("draining" if drain else "running")
            now = time.monotonic()
            await self._start_cameras(now)
            if drain is None and self._capture_is_over():
                drain = Drain()
            elif drain is None and self._time_is_over(now):
                names = [camera.name for camera in self._plan.cameras]
                await self._unless_stopped(self._twins.remove_cameras(names))
                drain = Drain()
            if drain is not None and drain.finished(self._tally, now, all_running=self._all_running()):
                self._gave_up = drain.gave_up
                return
            await self._give_up_if_hopeless(now)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._look_every_s(draining=drain is not None))

    async def _start_cameras(self, now: float) -> None:
        """Once everything behind the cameras is ready: a frame captured before would only be dropped.

        Raises: NoModelError: a further model has not come into service.
        """
        programs = self._supervisor.programs
        if CAMERA in programs or CAMERA not in self._plan.modules or self._stop.is_set():
            return
        waiting = now - self._begun < READY_WITHIN_S
        for module in (PREPROCESS, INFERENCE, SYNC, *((VIEWER,) if self._recording is not None else ())):
            if waiting and module in self._plan.modules:
                pid = programs[module].pid
                if pid is None or not await is_ready(self._run.module(module), pid):
                    return
        if late := awaited(self._plan.beside, self._tally):
            if now - self._begun > SERVES_WITHIN_S:
                raise NoModelError(late[0])
            return
        self._supervisor.start(module_program(self._run, CAMERA))

    async def _look(self, phase: str) -> None:
        """Ask every module how far it is, show it, and do the chores that are due."""
        programs = self._supervisor.programs
        async with asyncio.TaskGroup() as asking:
            for module in self._plan.modules:
                if module in programs and (pid := programs[module].pid) is not None:
                    asking.create_task(self._ask(module, pid), name=f"local.ask.{module}")
        now = time.monotonic()
        self._watch.look(self._tally, now)
        if now >= self._chores_at:
            self._chores_at = now + CHORES_EVERY_S
            self._chores()
        flowing = summary.committed(self._tally) > 0
        shown = phase if flowing or phase != "running" else "starting"
        self._status.show(self._tally, phase=shown, seconds=now - self._begun, troubles=self._troubles())

    async def _ask(self, module: str, pid: int) -> None:
        # Added by itself, not after all have answered: one hung module must not hide what the others counted.
        samples = await fetch_metrics(self._run.module(module), pid)
        if samples is not None:
            self._tally.add(module, pid, samples)

    def _chores(self) -> None:
        for supervised in self._supervisor.programs.values():
            logfiles.rotate(supervised.program.log)
        if time.monotonic() >= self._footprint_at:
            self._footprint()

    def _footprint(self) -> None:
        self._footprint_at = time.monotonic() + FOOTPRINT_EVERY_S
        for name, supervised in self._supervisor.programs.items():
            occupied = pss_bytes(supervised.pid, self._run.frames) if supervised.pid else None
            if occupied:
                self._pss[name] = occupied
        self._rings = folder_bytes(self._run.frames)

    def _look_every_s(self, *, draining: bool) -> float:
        # A look costs each module a millisecond or two: seldom while it runs for hours, often where the end is near.
        settled = self._watch.first_captured_at is not None and summary.upstream(self._tally) > 0
        return LOOK_EVERY_LIVE_S if settled and not draining and not self._plan.finite else LOOK_EVERY_S

    def _all_running(self) -> bool:
        return all(one.child is not None for one in self._supervisor.programs.values())

    def _capture_is_over(self) -> bool:
        states = camera_states(self._tally)
        return bool(states) and all(states.get(camera.name) == "finished" for camera in self._plan.cameras)

    def _time_is_over(self, now: float) -> bool:
        first = self._watch.first_captured_at
        return self._plan.seconds is not None and first is not None and now - first >= self._plan.seconds

    def _troubles(self) -> list[str]:
        down = [
            f"{name} ended with {one.last_exit}, starting it again: {logfiles.last_words(one.program.log)}"
            for name, one in self._supervisor.programs.items()
            if one.child is None and one.quick_ends > 1
        ]
        waiting = awaited(self._plan.beside, self._tally) if CAMERA not in self._supervisor.programs else []
        return [*down, *waiting, *self._watch.troubles]

    async def _give_up_if_hopeless(self, now: float) -> None:
        """Raises: SourceError, NoModelError, ModuleFailedError: it will not get better by itself."""
        if summary.flowed(self._tally):
            return
        for name, one in self._supervisor.programs.items():
            if name != VIEWER and one.quick_ends >= QUICK_ENDS_ALLOWED:
                raise ModuleFailedError(
                    f"{name} keeps ending (exit code {one.last_exit}): {logfiles.last_words(one.program.log)} "
                    f"(log {one.program.log})"
                )
        if self._watch.wants_twins(now):
            twins = await self._unless_stopped(self._twins.of(self._plan.modules))
            if twins is not None:
                self._watch.judge(self._tally, twins, now)

    async def _unless_stopped(self, asking: Coroutine[Any, Any, T]) -> T | None:
        """What ``asking`` returns, None as soon as the run is to stop: a hung hub must not hold the end up."""
        asked = asyncio.create_task(asking, name="local.twins")
        stopped = asyncio.create_task(self._stop.wait(), name="local.stop")
        try:
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else None
        finally:
            asked.cancel()
            stopped.cancel()

    # -- end ----------------------------------------------------------------------------------------------------------

    async def _end(self, keeper: asyncio.Task[None] | None) -> None:
        """Stop everything and leave nothing behind, within 8 seconds also if a module hangs."""
        if self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):  # the last word of each module, but a hung one is not waited for
                    await self._look("stopping")
        self._footprint()
        if self._recording is not None:
            await self._recording.stop()
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        killed = await self._supervisor.stop([*self._plan.modules, HUB], hurry=self._hurry)
        if killed:
            self._status.note(f"vigie: {', '.join(killed)} did not end when asked and had to be killed")
        self._status.close()
        forget_secrets(self._run.secrets)
        clear_leftovers(self._run)

    def _outcome(self) -> Outcome:
        done = summary.summarise(
            self._tally,
            seconds=self._watch.seconds_of_flow,
            pss_bytes=self._pss,
            cpu_s={name: one.cpu_seconds() for name, one in self._supervisor.programs.items()},
            rings_bytes=self._rings,
        )
        if self._complaint is not None:
            return Outcome(done, self._complaint.exit_code, str(self._complaint))
        exit_code, complaint = verdict(self._tally, self._gave_up, self._run.name)
        return Outcome(done, exit_code, complaint)


def verdict(tally: MetricTotals, gave_up: str | None, run: str) -> tuple[Exit, str | None]:
    """Exit code and complaint of a run that ended by itself; figures of half a run must not pass for the whole.

    ``gave_up``: why the end came before every captured frame was accounted for.
    """
    if not summary.flowed(tally):
        return Exit.NO_FLOW, f"no frame reached upstream; see ./vigie logs --run {run}"
    if gave_up is not None:
        return Exit.NO_FLOW, f"{gave_up}; not every frame is accounted for; see ./vigie logs --run {run}"
    return Exit.OK, None
