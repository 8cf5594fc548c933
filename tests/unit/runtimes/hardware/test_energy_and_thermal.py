"""Energy and temperature over trees: counters that wrap, powers that are summed, and nothing that becomes a zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.hardware_trees import INTEL, JETSON, RASPBERRY, lay_out
from vigie.runtimes.hardware import ProcessIdentity, probe
from vigie.runtimes.hardware.energy import EnergyMeter, PowerMeter, open_meter
from vigie.runtimes.hardware.thermal import read_zones

RAPL = "sys/class/powercap/intel-rapl:0/energy_uj"


def meter_of(root: Path, files: dict[str, str]) -> EnergyMeter | None:
    report = probe(lay_out(root, files), machine="x86_64", identity=ProcessIdentity(0, frozenset()), packages=())
    return open_meter(report, root)


def test_a_counter_gives_joules_and_survives_its_turn(tmp_path: Path) -> None:
    meter = meter_of(tmp_path, INTEL)
    assert meter is not None
    assert meter.domain == "package-0"
    assert meter.joules() == 0
    (tmp_path / RAPL).write_text("3500000\n")
    assert meter.joules() == pytest.approx(2.5)
    (tmp_path / RAPL).write_text("500000\n")  # it began anew at 262,143.32885 J
    assert meter.joules() == pytest.approx(2.5 + 262143.328850 - 3.5 + 0.5)
    (tmp_path / RAPL).unlink()
    assert meter.joules() is None, "a sensor that is gone is no zero"


def test_a_counter_that_only_root_reads_is_named_with_its_remedy(tmp_path: Path) -> None:
    locked = {path: text for path, text in INTEL.items() if not path.endswith(":0/energy_uj")}
    report = probe(lay_out(tmp_path, locked), machine="x86_64", identity=ProcessIdentity(0, frozenset()), packages=())
    (sensor,) = report.energy
    assert (sensor.usable, sensor.why_not) == (False, "only root may read it (CVE-2020-8694)")
    assert "/host/powercap" in sensor.remedy
    assert open_meter(report, tmp_path) is None


def test_counters_mounted_elsewhere_are_found(tmp_path: Path) -> None:
    moved = {path.replace("sys/class/powercap", "host/powercap"): text for path, text in INTEL.items()}
    meter = meter_of(tmp_path, moved)
    assert meter is not None
    assert meter.domain == "package-0"


def test_power_is_summed_over_time(tmp_path: Path) -> None:
    now = [0.0]
    watts: list[float | None] = [6.0]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    with PowerMeter("board", lambda: watts[0], clock=clock) as meter:
        now[0] = 2.0
        assert meter.joules() == pytest.approx(12.0)
        watts[0] = 10.0
        now[0] = 3.0
        assert meter.joules() == pytest.approx(20.0), "a trapezoid from 6 to 10 W over a second"
        watts[0] = None
        assert meter.joules() is None


def test_a_jetson_s_power_is_volt_times_ampere_of_the_board_s_rail(tmp_path: Path) -> None:
    meter = meter_of(tmp_path, JETSON)
    assert isinstance(meter, PowerMeter)
    with meter:
        assert meter.domain == "board:VDD_IN"
        assert meter._watts() == pytest.approx(6.0)


def test_without_a_sensor_there_is_no_meter(tmp_path: Path) -> None:
    assert meter_of(tmp_path, RASPBERRY) is None


def test_zones_are_read_with_the_limit_at_which_the_kernel_throttles(tmp_path: Path) -> None:
    hot = {
        "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
        "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000\n",
        "sys/class/thermal/thermal_zone0/trip_point_1_type": "passive\n",
        "sys/class/thermal/thermal_zone0/trip_point_1_temp": "60000\n",
    }
    (zone,) = read_zones(lay_out(tmp_path, RASPBERRY | hot))
    assert (zone.name, zone.celsius, zone.limit_celsius, zone.hot) == ("cpu-thermal", 61.2, 60.0, True)


def test_a_machine_without_zones_has_none(tmp_path: Path) -> None:
    assert read_zones(tmp_path) == ()
