"""Energy since the meter was opened, from whatever sensor there is; without one there is no meter, never a zero.

Source: kernel documentation of powercap and ina3221; NVML's reference for total energy (Volta and newer).
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from vigie.closable import Closable
from vigie.runtimes.hardware.report import HardwareReport, Sensor

# A counter that wraps twice between two looks loses a turn: 65 kJ are 5 minutes at 200 W.
SAMPLE_S = 0.1


class EnergyMeter(Protocol):
    """``domain``: what is measured (``package-0``, ``board:VDD_IN``, ``gpu``): idle power and neighbours included."""

    domain: str

    def joules(self) -> float | None:
        """Since the meter was opened; ``None`` if the sensor no longer answers. Call it at least once a minute."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_meter(report: HardwareReport, root: Path = Path("/")) -> EnergyMeter | None:
    """A meter for the widest domain that this process may read: the board, else CPU packages, else a device."""
    usable = [sensor for sensor in report.energy if sensor.usable]
    if not usable:
        return None
    kind = usable[0].kind
    sensors = [sensor for sensor in usable if sensor.kind == kind]
    paths = [root / sensor.path.lstrip("/") for sensor in sensors]
    domain = "+".join(sensor.domain for sensor in sensors)
    if kind == "rapl":
        return CounterMeter(domain, [_rapl_counter(path) for path in paths])
    if kind == "hwmon-energy":
        return CounterMeter(domain, [_joule_counter(path) for path in paths])
    if kind == "nvml":
        counter = _nvml_counter(sensors[0])
        return CounterMeter(domain, [(counter, 0)]) if counter is not None else None
    watts = _ina_watts if kind == "ina3221" else _hwmon_watts
    return PowerMeter(domain, lambda: watts(paths))


Counter = tuple[Callable[[], int | None], int]  # microjoules, and after how many it begins anew (0: never)


class CounterMeter(Closable):
    """Sums counters of microjoules that begin anew at their range."""

    def __init__(self, domain: str, counters: list[Counter]) -> None:
        self.domain = domain
        self._counters = counters
        self._last = [read() for read, _ in counters]
        self._total_uj = 0

    def joules(self) -> float | None:
        for number, (read, turn) in enumerate(self._counters):
            now, before = read(), self._last[number]
            if now is None or before is None:
                return None
            self._total_uj += now - before if now >= before else now - before + turn
            self._last[number] = now
        return self._total_uj / 1e6

    def close(self) -> None:
        """Nothing is held."""


class PowerMeter(Closable):
    """Integrates watts (trapezoids) on a thread of its own, since such sensors keep no sum."""

    def __init__(
        self, domain: str, watts: Callable[[], float | None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.domain = domain
        self._watts = watts
        self._clock = clock
        self._lock = threading.Lock()
        self._total_j = 0.0
        self._failed = False
        self._last: tuple[float, float] | None = None
        self._stop = threading.Event()
        self._sample()
        self._thread = threading.Thread(target=self._loop, name="vigie-power", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            now, watts = self._clock(), self._watts()
            if watts is None:
                self._failed = True
                return
            if self._last is not None:
                self._total_j += (now - self._last[0]) * (watts + self._last[1]) / 2
            self._last = (now, watts)

    def joules(self) -> float | None:
        self._sample()
        return None if self._failed else self._total_j

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def _rapl_counter(path: Path) -> Counter:
    turn = _number(path.with_name("max_energy_range_uj"))
    return (lambda: _number(path)), turn or 0


def _joule_counter(path: Path) -> Counter:
    return (lambda: _number(path)), 0


def _ina_watts(inputs: list[Path]) -> float | None:
    """Millivolt times milliampere of each rail."""
    total = 0
    for voltage in inputs:
        current = voltage.with_name(voltage.name.replace("in", "curr", 1))
        millivolt, milliampere = _number(voltage), _number(current)
        if millivolt is None or milliampere is None:
            return None
        total += millivolt * milliampere
    return total / 1e6


def _hwmon_watts(paths: list[Path]) -> float | None:
    values = [_number(path) for path in paths]
    known = [value for value in values if value is not None]
    return sum(known) / 1e6 if len(known) == len(values) else None


def _nvml_counter(sensor: Sensor) -> Callable[[], int | None] | None:
    """NVML's total energy of the first GPU, millijoules there; ``None`` if the library or the GPU has none."""
    try:
        library = ctypes.CDLL(sensor.path)
        if library.nvmlInit_v2() != 0:
            return None
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) != 0:
            return None
    except (OSError, AttributeError):
        return None

    def read() -> int | None:
        millijoules = ctypes.c_ulonglong()
        failed = library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(millijoules)) != 0
        return None if failed else int(millijoules.value) * 1000

    return read if read() is not None else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
