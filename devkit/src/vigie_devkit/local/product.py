"""The real product under measurement: `vigie up` as a process in a home of its own, seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import Envelope
from vigie.contracts.names import FLOW, SYNC
from vigie_devkit.local.cpu import ProcessTime, read_process
from vigie_devkit.local.endings import ENDS_WITH
from vigie_devkit.local.metrics import MetricTotals, fetch_metrics
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.programs import HUB
from vigie_devkit.local.record import read_record
from vigie_devkit.local.summary import measured_share
from vigie_edgehub.service.client import ServiceClient
from vigie_edgehub.upstream import UpstreamReader, record_file

_RUN = "bench"
_decode = msgspec.json.Decoder(Envelope[DetectionsItem]).decode


class ProductError(Exception):
    """The product did not do what is to be measured."""


class Product:
    """One `up` under way. Times are CLOCK_MONOTONIC, as the items' ``captured_ns`` is."""

    def __init__(self, home: Path, run: RunPaths, process: subprocess.Popen[bytes], log: Path, begun_ns: int) -> None:
        self.home, self.run, self.process, self.begun_ns = home, run, process, begun_ns
        self._log = log

    def pids(self) -> dict[str, int]:
        """Hub and modules by name, as `up` records them."""
        record = read_record(self.run.record)
        return {} if record is None else {name: one.pid for name, one in record.processes.items()}

    def look(self) -> MetricTotals:
        """All modules' metrics now; a module that does not answer is missing."""
        tally = MetricTotals()
        pids = self.pids()

        async def fetch() -> None:
            for module in FLOW:
                if module in pids:
                    samples = await fetch_metrics(self.run.module(module), pids[module])
                    if samples is not None:
                        tally.add(module, pids[module], samples)

        asyncio.run(fetch())
        return tally

    def cpu(self) -> dict[str, ProcessTime]:
        """CPU so far of hub, modules and `up` itself."""
        spent = {name: read_process(pid) for name, pid in self.pids().items()}
        return {**spent, "up": read_process(self.process.pid, children=False)}  # its children are the ones above

    def hub(self) -> ServiceClient:
        return ServiceClient.open(self.run.hub)

    def wait_until(self, condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
        """Raises: ProductError: not within ``within_s``, or `up` ended."""
        deadline = time.monotonic() + within_s
        while not condition():
            if self.process.poll() is not None:
                raise ProductError(f"up ended with {self.process.returncode} before: {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProductError(f"not within {within_s:.0f} s: {what}\n{self.tail()}")
            time.sleep(0.1)

    def wait_for_flow(self, items: int = 1) -> None:
        """Until sync has committed ``items``."""
        self.wait_until(
            lambda: self.look().total("vigie_items_committed_total", "sync") >= items, f"{items} items committed"
        )

    def wait_until_measured(self, within_s: float) -> float:
        """Wait for inference to know its candidates: measuring them is not what a frame costs.

        Returns: the share of them that it knows; a busy machine may need longer than ``within_s``.
        """
        deadline = time.monotonic() + within_s
        while (share := measured_share(self.look())) is not None and share < 1.0 and time.monotonic() < deadline:
            time.sleep(0.5)
        return 1.0 if share is None else share

    def kill(self, name: str) -> int:
        """``kill -9`` of a process by its name; returns when (ns)."""
        pid = self.pids()[name]
        at_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return at_ns

    def stop(self) -> dict[str, Any]:
        """End `up` and return its summary.

        Raises: ProductError: it does not end, or without a summary.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, within_s: float = 180.0) -> dict[str, Any]:
        """Until `up` ends by itself; its summary."""
        try:
            out, _ = self.process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            raise ProductError(f"up did not end within {within_s:.0f} s\n{self.tail()}") from None
        try:
            summary: dict[str, Any] = json.loads(out)
        except ValueError as error:
            raise ProductError(f"up ended with {self.process.returncode} and no summary\n{self.tail()}") from error
        return summary

    def end(self) -> None:
        """Whatever state `up` is in, a stopped one too; what does not end by itself is killed."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=25)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def items(self) -> Iterator[DetectionsItem]:
        """Every item that reached upstream, in order of arrival; also after the end."""
        with UpstreamReader(record_file(self.run.hub)) as reader:
            for record in reader.read():
                if record.module == SYNC:
                    yield from _decode(record.body_bytes()).items

    def screen(self) -> str:
        """All that `up` has written for people."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        return self.screen()[-2000:]


@contextmanager
def up(folder: Path, launcher: Sequence[str], *arguments: str) -> Iterator[Product]:
    """Start `up` with ``arguments`` in the home ``folder``; what is left of it at the end is killed."""
    log = folder.with_name(f"{folder.name}.up.log")  # beside it: `up` refuses a home with other things in it
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        begun_ns = time.monotonic_ns()
        process = start_up(
            [*launcher, "up", *arguments, "--run", _RUN], folder, {}, stdout=subprocess.PIPE, stderr=output
        )
    product = Product(folder, RunPaths(folder, _RUN), process, log, begun_ns)
    try:
        yield product
    finally:
        product.end()


def start_up(
    command: Sequence[str], home: Path, environment: Mapping[str, str], *, stdout: int, stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """`up` as a process that ends when this one does, killed or not. Main thread only: it lives as long as its starter.

    A process group of its own, because Ctrl-C is for this program; not a session of its own, because the kernel wakes
    a stopped `up` whose starter has died only within one session (setpgid(2), orphaned process groups).
    """
    return subprocess.Popen(
        [*command, "--upstream", "detections", "--json"],  # every frame goes the whole way
        env={**os.environ, "VIGIE_HOME": str(home), "NO_COLOR": "1", ENDS_WITH: str(os.getpid()), **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
    )


def installed_launcher() -> list[str]:
    """This environment's `vigie`, as ``./vigie`` becomes it once everything is installed."""
    return [sys.executable, "-I", "-m", "vigie_devkit"]


def module_programs(product: Product) -> dict[str, dict[str, str]]:
    """The environment of each module of the running product, for starting it again without hub."""
    from vigie_devkit.local.programs import module_environment

    return {module: module_environment(product.run, module) for module in product.pids() if module != HUB}
