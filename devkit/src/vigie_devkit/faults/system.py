"""The whole system under fault: `vigie up` as a process with everything behind it, looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vigie.errors import HubAnswerError, HubAwayError
from vigie_devkit.faults import bad_disk
from vigie_devkit.faults.bad_link import BadLink, bad_link
from vigie_devkit.faults.web_camera import WebCamera, web_camera
from vigie_devkit.local.address import MQTT_PORT, choose_address
from vigie_devkit.local.metrics import is_ready, total_of
from vigie_devkit.local.ownership import claim_part
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.product import Product, ProductError, installed_launcher, start_up
from vigie_devkit.local.programs import GATEWAY, HUB
from vigie_devkit.local.tree import tree
from vigie_edgehub.upstream import UpstreamReader, record_file

_RUN = "faults"
STARTS_WITHIN_S = 180.0
FPS = 8
# A module that hears the method answers within milliseconds; one that is deaf costs the look this long.
_ANSWERS_WITHIN_S = 5.0


class FaultError(ProductError):
    """The system did not do what a fault's trial needs, before or after the fault."""


@dataclass(frozen=True)
class Setup:
    """How the system is started. ``environment``: besides the usual; ``{home}`` in a value is the run's home.

    ``tmpfs``: folder under the run's folder to its size in bytes: a disk of its own. ``web``: a live camera over HTTP
    in place of the synthetic one. ``link``: modules reach the hub over a link that can be bad.
    ``bad_disks``: folders under the run's folder on a disk that can be slow or fail.
    """

    name: str = "plain"
    environment: tuple[tuple[str, str], ...] = ()
    tmpfs: tuple[tuple[str, int], ...] = ()
    web: bool = False
    link: bool = False
    bad_disks: tuple[str, ...] = ()
    twins: tuple[tuple[str, str], ...] = ()


PLAIN = Setup()


@dataclass
class System:
    """One `up` under way. Times are CLOCK_MONOTONIC, as the items' ``captured_ns`` is."""

    product: Product
    setup: Setup
    seed: int
    camera: WebCamera | None = None
    link: BadLink | None = None
    scratch: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> RunPaths:
        return self.product.run

    def pid(self, name: str) -> int:
        """Of the process that runs now. Raises: FaultError: it does not run."""
        pid = self.product.pids().get(name)
        if pid is None:
            raise FaultError(f"{name} does not run")
        return pid

    def signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid(name), number)

    def family(self, name: str) -> list[int]:
        """The process and what it started."""
        return tree(self.pid(name))

    def patch(self, module: str, desired: Mapping[str, Any]) -> int:
        """Merge into desired properties; the version afterwards."""
        twin = self.product.hub().patch_twin(module, {"properties": {"desired": dict(desired)}})
        return int(twin["properties"]["desired"]["$version"])

    def reported(self, module: str) -> dict[str, Any]:
        """Empty while the hub does not answer."""
        with suppress(HubAwayError, HubAnswerError, KeyError):
            found: dict[str, Any] = self.product.hub().twin(module)["properties"]["reported"]
            return found
        return {}

    def reported_text(self, module: str) -> str:
        return json.dumps(self.reported(module))

    def metric(self, module: str, name: str, labels: Mapping[str, str]) -> float | None:
        """The sum over what ``labels`` leave open; None while the module does not answer."""
        return total_of(self.product.look().values(name, module), labels)

    def log_text(self, process: str) -> str:
        try:
            return self.run.log(process).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def screen(self) -> str:
        """What `up` has shown."""
        return self.product.screen()

    def has_ended(self) -> bool:
        return self.product.process.poll() is not None

    def tail(self) -> str:
        return self.product.tail()

    def arrived(self, after: int) -> Iterator[tuple[int, str, bytes]]:
        """Messages upstream above sequence number ``after``: number, module, body."""
        with UpstreamReader(record_file(self.run.hub)) as reader:
            for record in reader.read(after=after):
                yield record.sequence_number, record.module or "", record.body_bytes()

    def unready(self, modules: Sequence[str]) -> list[str]:
        """Those that are not ready now."""
        pids = self.product.pids()
        return [
            name for name in modules if name not in pids or not asyncio.run(is_ready(self.run.module(name), pids[name]))
        ]

    def hub_start(self) -> str:
        return str(self.product.pids().get(HUB, ""))

    def answers(self, module: str) -> bool:
        with suppress(HubAwayError, HubAnswerError):
            reply = self.product.hub().invoke_method(module, "get_status", response_timeout_s=_ANSWERS_WITHIN_S)
            return reply.status == 200
        return False

    def wait_until(self, condition: Callable[[], object], what: str, within_s: float) -> None:
        self.product.wait_until(condition, what, within_s)

    def forget_measurements(self) -> None:
        """What is measured beside the trial would only blur its times."""
        self.patch("inference", {"runtime": {"measure": "off"}})

    @contextmanager
    def nobody_restarts(self) -> Iterator[None]:
        """`up` stands still: what is killed meanwhile stays away until the end."""
        os.kill(self.product.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.product.process.pid, signal.SIGCONT)


@contextmanager
def running(folder: Path, setup: Setup, seed: int) -> Iterator[System]:
    """The system with flow, in a home of its own under ``folder``; nothing of it is left at the end."""
    home = folder / "home"
    run = RunPaths(home, _RUN)
    mounted: list[Path] = []
    log = folder / "up.log"
    folder.mkdir(parents=True, exist_ok=True)
    with _camera(setup) as camera, _link(setup, run) as link, _bad_disks(run, setup):
        source = f"synthetic://conveyor?seed={seed}&fps={FPS}" if camera is None else camera.url("/mjpeg")
        try:
            _mount(run, setup, mounted)
            environment = {name: value.format(home=folder) for name, value in setup.environment}
            if link is not None:
                environment[GATEWAY] = link.host
            with log.open("wb") as output:
                begun_ns = time.monotonic_ns()
                process = start_up(
                    [*installed_launcher(), "up", source, "--pace", "realtime", "--run", _RUN],
                    home,
                    environment,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                )
            product = Product(home, run, process, log, begun_ns)
            try:
                system = System(product, setup, seed, camera, link)
                product.wait_until(lambda: committed(product) >= 1, "the first item", STARTS_WITHIN_S)
                system.forget_measurements()
                yield system
            finally:
                product.end()
        finally:
            for path in reversed(mounted):
                subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def committed(product: Product) -> int:
    """Items that sync has recorded, as it counts them."""
    return product.look().total("vigie_items_committed_total", "sync")


@contextmanager
def _camera(setup: Setup) -> Iterator[WebCamera | None]:
    if not setup.web:
        yield None
        return
    with web_camera() as camera:
        yield camera


@contextmanager
def _link(setup: Setup, run: RunPaths) -> Iterator[BadLink | None]:
    if not setup.link:
        yield None
        return
    with bad_link(run.hub_json, choose_address(f"link/{run.folder}"), MQTT_PORT) as link:
        yield link


def _mount(run: RunPaths, setup: Setup, mounted: list[Path]) -> None:
    """Raises: FaultError: this user may not mount."""
    if setup.tmpfs:
        claim_part(run.home, "runs")  # `up` refuses a home in which somebody else has put things
    for name, size in setup.tmpfs:
        path = run.folder / name
        path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "vigie-faults", str(path)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise FaultError(f"a small disk cannot be mounted at {path}: {done.stderr.strip()}; run this as root")
        mounted.append(path)


@contextmanager
def _bad_disks(run: RunPaths, setup: Setup) -> Iterator[None]:
    """Raises: FaultError: one cannot be mounted."""
    if setup.bad_disks:
        claim_part(run.home, "runs")
    served: list[tuple[subprocess.Popen[bytes], Path]] = []
    try:
        for name in setup.bad_disks:
            path, behind = run.folder / name, run.home.parent / "behind" / name
            for folder in (path, behind):
                folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-I", "-m", bad_disk.__name__, str(behind), str(path), str(disk_command(run))]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            served.append((process, path))
            deadline = time.monotonic() + 60.0
            while not path.is_mount():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise FaultError(f"a disk that can fail cannot be mounted at {path}; run this as root, with fusepy")
                time.sleep(0.1)
        yield
    finally:
        for process, path in served:
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)
            process.kill()
            process.wait(10)


def disk_command(run: RunPaths) -> Path:
    """The file that says what is wrong with the run's bad disks."""
    return run.home.parent / "disk"
