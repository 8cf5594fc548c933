"""What the hub's store costs, and what a kill, a full disk and a torn file leave of it (ADR-0067).

``python -m vigie_devkit.bench.store [--folder DIR]``: CPU time per message of put, flush and settle by size of the
batch, and the longest flush; the crashes are real: SIGKILL, RLIMIT_FSIZE, a file cut short.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from vigie_edgehub.message import CopyTarget, Message
from vigie_edgehub.store.messages import MessageStore

_BATCHES = (1, 10, 100)
_TARGETS = [CopyTarget("b/in", 5, None)]


def message(number: int) -> Message:
    """1 KB of body, with the properties that a module's message has."""
    return Message(
        key=f"k{number}",
        stored_at=1.5,
        source_module="camera",
        output="frames",
        kind="Telemetry",
        system={"contentType": "application/json", "contentEncoding": "utf-8", "connectionModuleId": "camera"},
        application={},
        body=b"x" * 1024,
    )


def cost(folder: Path, batch: int, count: int) -> tuple[float, float]:
    """Put ``batch``, flush, settle them; what is settled leaves with the next flush.

    Returns: CPU microseconds per message; the longest flush in milliseconds of wall time.
    """
    store = MessageStore(folder)
    store.recover()
    messages = [message(number) for number in range(batch)]
    longest_s = 0.0
    begun = time.process_time()
    for first in range(1, count + 1, batch):
        for number, one in enumerate(messages, first):
            store.put(number, 1200, one, _TARGETS)
        at = time.perf_counter()
        if not store.flush():
            raise OSError(f"{folder}: the store took nothing")
        longest_s = max(longest_s, time.perf_counter() - at)
        for number in range(first, first + batch):
            store.settle(number, "b/in")
    spent = time.process_time() - begun
    store.close()
    return spent / count * 1e6, longest_s * 1e3


def kill_once(folder: Path, after_s: float) -> tuple[int, list[int]]:
    """Kill a writer; the last number that it had flushed, and what a new start finds."""
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    writer = context.Process(target=_write, args=(folder, told))
    writer.start()
    told.close()
    last = heard.recv()
    ends_at = time.monotonic() + after_s
    while time.monotonic() < ends_at:
        last = heard.recv()
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    try:
        while True:
            last = heard.recv()
    except EOFError:
        return last, _found(folder)


def full_disk(folder: Path) -> tuple[int, int]:
    """Write a thousand while no file may pass 256 KiB, lift the limit: refused at first, there in the end."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = MessageStore(folder)
    store.recover()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, hard))
    refused = 0
    for number in range(1, 1001):
        store.put(number, 1200, message(number), _TARGETS)
        refused += not store.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    if not store.flush():
        raise OSError("the store takes nothing though the disk has room again")
    store.close()
    return refused, len(_found(folder))


def torn(folder: Path, cut: int) -> int:
    """A hundred messages, killed; the newest file loses ``cut`` bytes: how many a new start finds."""
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(folder, None, 100))
    writer.start()
    writer.join()
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.truncate(newest, newest.stat().st_size - cut)
    return len(_found(folder))


def _write(folder: Path, told: Connection | None, most: int = 1_000_000) -> None:
    store = MessageStore(folder)
    store.recover()
    for number in range(1, most + 1):
        store.put(number, 1200, message(number), _TARGETS)
        if store.flush() and told is not None:
            told.send(number)
    os.kill(os.getpid(), signal.SIGKILL)


def _found(folder: Path) -> list[int]:
    store = MessageStore(folder)
    found = [seq for seq, _, _ in store.recover()]
    store.close()
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="CPU time and crash behaviour of the hub's store.")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder otherwise")
    parser.add_argument("--messages", type=int, default=4000, help="messages per round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, the batches in turns")
    parser.add_argument("--kills", type=int, default=20, help="times that a writer is killed")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    work = Path(tempfile.mkdtemp(dir=args.folder))
    spent: dict[int, list[tuple[float, float]]] = {batch: [] for batch in _BATCHES}
    try:
        for round_ in range(args.rounds):
            for batch, each in spent.items():
                each.append(cost(work / f"cost-{batch}-{round_}", batch, args.messages))
        for batch, each in spent.items():
            cpu_us = statistics.median(cpu for cpu, _ in each)
            print(
                f"batches of {batch}: {cpu_us:.1f} us CPU per message, longest flush {max(ms for _, ms in each):.1f} ms"
            )
        lost = 0
        for kill in range(args.kills):
            last, found = kill_once(work / f"kill-{kill}", random.Random(kill).uniform(0.0, 0.3))  # noqa: S311
            lost += found[:last] != list(range(1, last + 1))
        print(f"{args.kills} kills: {lost} lost something that was flushed")
        refused, there = full_disk(work / "full")
        print(f"full disk: {refused} of 1000 flushes refused, {there} messages there when it had room again")
        left = [torn(work / f"torn-{cut}", cut) for cut in (1, 40, 2000)]
        print(f"of 100 messages after 1, 40, 2000 torn bytes: {left}")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
