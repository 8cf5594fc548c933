"""When less is done: rules on readings, and on traces of real machines (support.heat_traces) laid out as files."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from support.hardware_trees import lay_out
from support.heat_traces import (
    BATTERIES,
    LAPTOP,
    ORANGE_PI,
    ORIN_ZONES,
    PI_COLD,
    PI_SOFT_LIMIT,
    PI_UNDER_VOLTAGE,
    PINE64,
    Trace,
)
from vigie.runtimes.hardware.battery import Battery, read_battery
from vigie.runtimes.hardware.slowing import Slowing, read_slowing
from vigie.runtimes.hardware.thermal import ThermalZone, read_zones
from vigie_inference.governor.energy import Sums, per_frame, watts
from vigie_inference.governor.frame_share import FrameShare
from vigie_inference.governor.rules import CALM_S, LAST, LEVELS, PRESSED_S, Level, Readings, Standing, effects, step
from vigie_inference.governor.settings import GovernorConfig

DEFAULT = GovernorConfig()


def at(celsius: float, limit: float | None = None) -> Readings:
    return Readings(zones=(ThermalZone("cpu-thermal", celsius, limit),))


def after(
    seconds: float,
    readings: Readings,
    settings: GovernorConfig = DEFAULT,
    standing: Standing | None = None,
    *,
    asked: bool = False,
) -> Standing:
    """``readings`` all the time, one look in five seconds, from where ``standing`` ended."""
    now = standing or Standing()
    begun = now.read_s or 0.0
    for tick in range(1, round(seconds / 5) + 1):
        now = step(now, readings, settings, begun + tick * 5, asked=asked)
    return now


def played(trace: Trace, root: Path, settings: GovernorConfig = DEFAULT) -> list[Standing]:
    """The standing after each moment of the trace, read from files."""
    found, standing = [], Standing()
    for now_s, files in trace.moments:
        lay_out(root, files)
        readings = Readings(zones=read_zones(root), slowing=read_slowing(root), battery=read_battery(root))
        standing = step(standing, readings, settings, now_s)
        found.append(standing)
    return found


def test_a_moment_s_heat_changes_nothing_and_lasting_heat_costs_level_after_level() -> None:
    assert after(PRESSED_S, at(85)).level == 0
    assert after(PRESSED_S + 5, at(85)).level == 1
    assert after(2 * PRESSED_S + 5, at(85)).level == 2
    hot = after(600, at(85))
    assert (hot.level, hot.reasons[0].kind) == (LAST, "temperature")
    assert hot.reasons[0].text == "cpu-thermal at 85.0 degrees Celsius, hot from 80"


def test_levels_are_given_back_one_by_one_after_a_calm_time_and_not_between_the_bounds() -> None:
    hot = after(2 * PRESSED_S + 5, at(85))
    assert hot.level == 2
    assert after(900, at(76), standing=hot).level == 2, "76 is neither hot (80) nor cool (73)"
    cooler = after(CALM_S + 5, at(70), standing=hot)
    assert cooler.level == 1
    cool = after(CALM_S, at(70), standing=cooler)
    assert (cool.level, cool.reasons) == (0, ())


def test_a_machine_at_its_limit_is_given_back_less_and_less_often() -> None:
    standing, waits = after(PRESSED_S + 5, at(85)), []
    for _ in range(4):
        level, waited_s = standing.level, 0
        while standing.level == level:
            standing = after(5, at(60), standing=standing)
            waited_s += 5
        waits.append(waited_s)
        standing = after(PRESSED_S + 5, at(85), standing=standing)
    assert waits[0] == CALM_S + 5
    assert waits == sorted(waits)
    assert waits[-1] > 6 * waits[0]
    assert after(4 * waits[-1], at(60), standing=standing).calm_s == CALM_S, "forgotten once all is given back"


def test_where_the_kernel_lowers_clocks_is_the_bound_unless_the_twin_says_another_one() -> None:
    assert after(60, at(71, 75)).level > 0
    assert after(60, at(69, 75)).level == 0
    assert after(60, at(71, 75), GovernorConfig(hot_celsius=90)).level == 0
    assert after(60, at(71, 40)).level == 0, "a trip point of 40 degrees is a notice and no limit"


def test_a_power_cap_is_kept_on_the_meter_s_mean_and_needs_a_meter() -> None:
    capped = GovernorConfig(power_watts_max=10)
    assert after(60, Readings(watts=12.0), capped).reasons[0].text == "12.0 W drawn, $.governor.power_watts_max is 10"
    assert after(60, Readings(watts=9.0), capped).level == 0
    assert after(600, Readings(watts=None), capped).level == 0
    hot = after(PRESSED_S + 5, Readings(watts=12.0), capped)
    assert after(600, Readings(watts=9.0), capped, hot).level == 1, "nine of ten watts leave no room"
    assert after(600, Readings(watts=8.0), capped, hot).level == 0


def test_an_empty_battery_takes_all_at_once_and_returns_it_step_by_step_when_it_is_charged() -> None:
    settings = GovernorConfig(battery_percent=15)
    empty = after(5, Readings(battery=Battery(14, in_use=True)), settings)
    assert (empty.level, empty.reasons[0].kind) == (LAST, "battery")
    assert after(600, Readings(battery=Battery(18, in_use=True)), settings, empty).level == LAST, (
        "18 is not enough more"
    )
    assert after(5, Readings(battery=Battery(14, in_use=False)), settings).level == 0, "it is being charged"
    charging = after(CALM_S + 5, Readings(battery=Battery(16, in_use=False)), settings, empty)
    assert charging.level == LAST - 1
    assert after(5, Readings(battery=Battery(2, in_use=True)), DEFAULT).level == 0, "nobody asked for it"


def test_the_objective_power_critical_holds_the_last_level() -> None:
    asked = after(5, Readings(), asked=True)
    assert (asked.level, asked.reasons[0].kind) == (LAST, "objective")
    assert effects(asked, GovernorConfig(rate_min=0.2)) == Level(saving=True, rate=0.2)


def test_switched_off_nothing_is_held_back_at_once() -> None:
    hot = after(600, at(95))
    assert hot.level == LAST
    assert after(5, at(95), GovernorConfig(on=False), hot).level == 0


def test_no_reading_no_effect() -> None:
    nothing = after(600, Readings())
    assert (nothing.level, nothing.reasons) == (0, ())
    assert effects(nothing, DEFAULT) == Level(saving=False, rate=1.0)


def test_what_was_read_before_the_machine_slept_does_not_count() -> None:
    hot = after(PRESSED_S, at(85))
    assert step(hot, at(85), DEFAULT, (hot.read_s or 0) + 3600).level == 0


def test_an_orange_pi_whose_kernel_lowers_clocks_is_spared_after_that_has_lasted(tmp_path: Path) -> None:
    standings = played(ORANGE_PI, tmp_path)
    assert [one.level for one in standings[:-3]] == [0] * 8, "single steps of the cooling state come and go"
    assert [one.level for one in standings[-3:]] == [1, 1, 1]
    assert "thermal-cpufreq-0 at 2 of 8" in standings[-1].reasons[0].text


def test_a_board_without_trip_points_is_spared_by_temperature_alone(tmp_path: Path) -> None:
    standings = played(PINE64, tmp_path)
    assert (standings[0].level, standings[-1].level) == (0, 1)
    assert standings[-1].reasons[0].text == "cpu_thermal_zone at 96.0 degrees Celsius, hot from 80"


def test_the_words_of_a_raspberry_pi_are_hexadecimal_and_only_the_bits_of_now_count(tmp_path: Path) -> None:
    words = []
    for trace in (PI_COLD, PI_SOFT_LIMIT):
        for _, files in trace.moments:
            words.append(read_slowing(lay_out(tmp_path, files)).flags)
    assert words == [(), ("under-voltage", "throttled"), (), ("soft temperature limit",)]
    assert [one.level for one in played(PI_UNDER_VOLTAGE, tmp_path)] == [0, 0], "four seconds are a moment"


def test_a_throttling_event_of_a_laptop_is_counted_once_and_is_a_moment(tmp_path: Path) -> None:
    first, second = played(LAPTOP, tmp_path)
    assert (first.count, second.count, second.level) == (2674, 2675, 0)
    more = step(second, Readings(slowing=Slowing(count=2675)), DEFAULT, 76752.0)
    assert more.pressed_since_s is None, "no new event"


def test_an_absurd_temperature_is_no_temperature(tmp_path: Path) -> None:
    (zone,) = read_zones(lay_out(tmp_path, ORIN_ZONES.moments[0][1]))
    assert (zone.name, zone.celsius) == ("cpu-thermal", 47.4)


def test_a_laptop_s_chip_is_read_where_its_limit_is_and_other_sensors_are_left_out(tmp_path: Path) -> None:
    files = {
        "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
        "sys/class/thermal/thermal_zone0/temp": "88000\n",
        "sys/class/thermal/thermal_zone1/type": "iwlwifi_1\n",
        "sys/class/thermal/thermal_zone1/temp": "95000\n",
        "sys/class/hwmon/hwmon3/name": "coretemp\n",
        "sys/class/hwmon/hwmon3/temp1_input": "88000\n",
        "sys/class/hwmon/hwmon3/temp1_crit": "100000\n",
    }
    zones = read_zones(lay_out(tmp_path, files))
    assert zones == (ThermalZone("coretemp", 88.0, 100.0),)
    assert after(600, Readings(zones=zones)).level == 0, "12 degrees below its limit is nothing unusual for such a chip"


def test_batteries_are_weighed_by_what_they_hold_and_a_mouse_s_is_not_the_machine_s(tmp_path: Path) -> None:
    battery = read_battery(lay_out(tmp_path, BATTERIES.moments[0][1]))
    assert battery == Battery(9.0, in_use=True)
    second = {
        "sys/class/power_supply/BAT1/type": "Battery\n",
        "sys/class/power_supply/BAT1/capacity": "54\n",
        "sys/class/power_supply/BAT1/energy_full": "51720000\n",
        "sys/class/power_supply/BAT1/status": "Unknown\n",
        "sys/class/power_supply/hid-mouse/type": "Battery\n",
        "sys/class/power_supply/hid-mouse/scope": "Device\n",
        "sys/class/power_supply/hid-mouse/capacity": "1\n",
    }
    assert read_battery(lay_out(tmp_path, second)) == Battery(39.0, in_use=True)


def test_a_machine_without_any_of_it_tells_nothing(tmp_path: Path) -> None:
    assert (read_zones(tmp_path), read_slowing(tmp_path), read_battery(tmp_path)) == ((), Slowing(), None)


def test_fans_and_idle_injectors_are_not_slowing_down(tmp_path: Path) -> None:
    files = {}
    for number, kind in enumerate(("pwm-fan", "intel_powerclamp", "TCC Offset", "Processor", "cpu-throttle-alert")):
        files |= {
            f"sys/class/thermal/cooling_device{number}/type": f"{kind}\n",
            f"sys/class/thermal/cooling_device{number}/cur_state": "2\n",
        }
    assert read_slowing(lay_out(tmp_path, files)).flags == ("Processor at 2", "cpu-throttle-alert at 2")


@pytest.mark.parametrize(("share", "taken"), [(1.0, 100), (0.5, 50), (0.25, 25), (0.1, 10)])
def test_a_share_of_the_frames_is_spread_evenly_over_each_camera(share: float, taken: int) -> None:
    rate = FrameShare()
    rate.share = share
    by_camera = {camera: [rate.takes(camera) for _ in range(100)] for camera in ("dock", "yard")}
    for took in by_camera.values():
        assert sum(took) == taken
        assert took[0], "the first frame is not waited for"
        gaps = [index for index, one in enumerate(took) if one]
        assert {after - before for before, after in itertools.pairwise(gaps)} <= {round(1 / share)}


def test_joules_per_frame_are_of_the_meter_s_domain_and_never_a_zero_without_one() -> None:
    before, now = Sums(0.0, 0, 1.0, 100.0), Sums(60.0, 600, 7.0, 400.0)
    found = per_frame(before, now)
    assert found is not None
    assert (found.joules, found.cpu_ms, watts(before, now)) == (0.5, 10.0, 5.0)
    unmetered = per_frame(Sums(0.0, 0, 1.0, None), Sums(60.0, 600, 7.0, None))
    assert unmetered is not None
    assert unmetered.joules is None
    assert per_frame(before, Sums(60.0, 3, 7.0, 400.0)) is None, "three frames say nothing"


def test_levels_hold_back_more_and_more() -> None:
    assert [level.saving for level in LEVELS] == [False, True, True, True, True]
    assert [level.rate for level in LEVELS] == sorted((level.rate for level in LEVELS), reverse=True)
