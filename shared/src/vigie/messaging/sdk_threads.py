"""The threads the SDK starts in this process: hearing of one that died, replacing those that hang."""

from __future__ import annotations

import threading
import weakref
from typing import Any, Protocol

from azure.iot.device.common.pipeline import pipeline_thread

from vigie.log import get_logger

log = get_logger(__name__)


class NetworkWatcher(Protocol):
    """Who wants to hear of it; held weakly."""

    def network_thread_died(self, cause: str) -> None: ...


def replace_stuck_executors() -> None:
    """Give the next client fresh threads if the old one's hang.

    All clients of a process share two single-thread executors inside the SDK; one client stuck in a connect would
    block every later one. There is no public way to replace them; if a later SDK has none, nothing happens.
    """
    executors: dict[str, Any] = getattr(pipeline_thread, "_executors", {})
    for name in ("pipeline", "callback"):
        executor = executors.get(name)
        if executor is None:
            continue
        done = threading.Event()
        executor.submit(done.set)
        if not done.wait(0.5):
            executors.pop(name, None)
            log.warning("hub_client_thread_stuck", thread=name)


def has_network_thread() -> bool:
    return any("_thread_main" in thread.name for thread in threading.enumerate())


_watchers: weakref.WeakSet[NetworkWatcher] = weakref.WeakSet()
_hook_lock = threading.Lock()
_hooked = False


def watch_network_threads(watcher: NetworkWatcher) -> None:
    """Hear of paho's thread dying: 1.6.1 does not catch ssl.SSLEOFError on a write, and nobody is told."""
    global _hooked  # noqa: PLW0603 - threading.excepthook is one per process
    with _hook_lock:
        _watchers.add(watcher)
        if _hooked:
            return
        _hooked = True
        before = threading.excepthook

        def hook(args: threading.ExceptHookArgs, /) -> None:
            thread = args.thread
            if thread is None or "_thread_main" not in thread.name:
                before(args)
                return
            for living in list(_watchers):
                living.network_thread_died(args.exc_type.__name__)

        threading.excepthook = hook
