"""The process around a module: logging, signals, a deadline for stopping, exit codes.

Exit codes: 0 stopped on request; 1 failed (the supervisor restarts); 2 cannot start as configured; 3 did not stop in
time and was ended hard.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from vigie.config.environment import ModuleEnvironment
from vigie.errors import ConfigRefusedError, PermanentError, VigieError
from vigie.log import configure_logging, get_logger
from vigie.private_files import GROUP, VARIABLE, keep_files_private, open_to_group
from vigie.sandbox.module import confine_module

log = get_logger(__name__)

# Docker kills after 10 s; what is unsaved by then is lost without a word.
STOP_DEADLINE_S = 8.0
_EXIT_DEADLINE_S = 1.0

OK, FAILED, MISCONFIGURED, STOPPED_HARD = 0, 1, 2, 3


def run_module(name: str, main: Callable[[ModuleEnvironment], Awaitable[None]], *, programs: bool = False) -> int:
    """Run ``main`` until it returns, fails, or SIGTERM or SIGINT cancels it; returns the exit code.

    ``programs``: it starts processes of its own; otherwise none can be started any more.
    """
    keep_files_private(os.environ)
    try:
        env = ModuleEnvironment.from_environ(name, os.environ)
    except ConfigRefusedError as error:
        configure_logging(name)
        log.error("module_misconfigured", reason=str(error))  # noqa: TRY400 - a sentence for a person, no traceback
        return MISCONFIGURED
    configure_logging(env.module_id, style=env.log_style, level=env.log_level)
    _report_dead_threads()
    _end_without_threads()
    log.info("module_starting", boot=env.boot, pid=os.getpid())
    _open_state_to_group(env)
    if (reason := confine_module(programs=programs)) is not None:
        log.warning("module_not_confined", reason=reason)
    code = asyncio.run(_supervise(env, main))
    log.info("module_stopped", exit_code=code)
    # A thread left behind in the hub client would keep the interpreter from ending.
    _end_hard_after(_EXIT_DEADLINE_S, code)
    return code


def _open_state_to_group(env: ModuleEnvironment) -> None:
    """Also what libraries made with modes of their own: another user of the group may be the next to need it."""
    if os.environ.get(VARIABLE) != GROUP:
        return
    try:
        open_to_group(env.state)
        usable = os.access(env.state, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        usable = error.errno != errno.EACCES
    if not usable:
        log.error(
            "state_folder_closed", folder=str(env.state), user=os.geteuid(),
            reason="it belongs to another user and is closed to the group; deploy with deploy/patches/open-state.json",
        )  # fmt: skip


async def _supervise(env: ModuleEnvironment, main: Callable[[ModuleEnvironment], Awaitable[None]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main(env))
    stopping = threading.Event()

    def stop(name: str) -> None:
        # On the signal thread: the deadline runs even if the event loop hangs.
        if stopping.is_set():
            return
        stopping.set()
        _end_hard_after(STOP_DEADLINE_S, STOPPED_HARD)
        log.info("module_stopping", signal=name)
        loop.call_soon_threadsafe(task.cancel)

    _on_signals(stop)
    await asyncio.wait([task])
    if not stopping.is_set():
        _end_hard_after(STOP_DEADLINE_S, FAILED)
    if task.cancelled():
        return OK if stopping.is_set() else FAILED
    error = task.exception()
    if error is None:
        return OK
    return _explain(error)


def _on_signals(stop: Callable[[str], None]) -> None:
    """Call ``stop`` on a thread of its own for SIGTERM and SIGINT.

    Python's handlers, and asyncio's, wait for the main thread; the interpreter writes to this pipe at once, also
    while the main thread hangs in a library.
    """
    ours, interpreters = os.pipe()
    os.set_blocking(interpreters, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(interpreters, warn_on_full_buffer=False)

    def read() -> None:
        while received := os.read(ours, 16):
            for number in received:
                if number in (signal.SIGTERM, signal.SIGINT):
                    stop(signal.Signals(number).name)

    threading.Thread(target=read, name="process.signals", daemon=True).start()


def _report_dead_threads() -> None:
    """A thread that nobody watches and that dies is logged with its name, rather than printed past the log."""

    def hook(args: threading.ExceptHookArgs, /) -> None:
        name = args.thread.name if args.thread is not None else "unknown"
        log.error("thread_died", thread=name, reason=repr(args.exc_value), exc_info=args.exc_value)

    threading.excepthook = hook


def _end_without_threads() -> None:
    """A thread that the system does not give (memory, a limit of processes) ends the process, with the reason.

    Whoever asked for it is often a library's own thread, which dies of it without a word: the hub's client then takes
    no message any more and looks well. An orderly end would need threads too; a start finds everything that is stored.
    """
    start = threading.Thread.start

    def start_or_end(self: threading.Thread) -> None:
        thread = self
        try:
            start(thread)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and "start new thread" not in str(error):
                raise  # started twice, or asked for while the interpreter ends
            reason = str(error) or type(error).__name__
            log.error("thread_not_started", thread=thread.name, running=threading.active_count(), reason=reason)  # noqa: TRY400 - a sentence for a person
            sys.stderr.flush()
            os._exit(FAILED)

    threading.Thread.start = start_or_end  # type: ignore[method-assign] # every library's threads come by it


def _explain(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, VigieError):
        log.error("module_failed", error=type(error).__name__, reason=str(error))
        return MISCONFIGURED if isinstance(error, PermanentError) and error.__cause__ is None else FAILED
    log.error("module_failed", error=type(error).__name__, reason=str(error), exc_info=error)
    return FAILED


def _end_hard_after(delay_s: float, code: int) -> None:
    def end() -> None:
        time.sleep(delay_s)
        sys.stderr.flush()
        os._exit(code)

    threading.Thread(target=end, name="process.deadline", daemon=True).start()
