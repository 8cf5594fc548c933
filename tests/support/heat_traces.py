"""Recorded traces of machines that got hot or short of power, from public issues: what they read, second by second.

Each says where it was recorded. Where a record gives less than the kernel's file holds (a temperature in whole degrees,
a cooling state as 1/8), the file is laid out with just that.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trace:
    """``source``: where it was recorded. ``moments``: seconds, and the files as they were then."""

    source: str
    moments: tuple[tuple[float, dict[str, str]], ...]


def _clock(text: str) -> float:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * 3600.0 + minutes * 60 + seconds


def _orange(clock: str, celsius: float, state: int) -> tuple[float, dict[str, str]]:
    return _clock(clock), {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": f"{round(celsius * 1000)}\n",
        "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
        "sys/class/thermal/cooling_device0/cur_state": f"{state}\n",
        "sys/class/thermal/cooling_device0/max_state": "8\n",
    }


# Orange Pi One (Allwinner H3) under `minerd --benchmark`: armbianmonitor -m, columns time, CPU, C.St.
ORANGE_PI = Trace(
    "https://github.com/armbian/build/pull/992",
    (
        _orange("11:57:54", 35.5, 0),
        _orange("11:58:02", 54.7, 0),
        _orange("11:58:11", 58.2, 0),
        _orange("11:58:47", 61.0, 0),
        _orange("11:58:57", 62.6, 0),
        _orange("11:59:07", 66.1, 1),
        _orange("11:59:16", 64.3, 0),
        _orange("11:59:25", 66.5, 1),
        _orange("12:00:03", 67.0, 1),
        _orange("12:00:12", 69.7, 2),
        _orange("12:00:22", 68.2, 2),
    ),
)


def _pi(seconds: float, word: str, celsius: float | None = None) -> tuple[float, dict[str, str]]:
    files = {"sys/devices/platform/soc/soc:firmware/get_throttled": f"{word}\n"}
    if celsius is not None:
        files |= {
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": f"{round(celsius * 1000)}\n",
        }
    return seconds, files


# Raspberry Pi 3 with a weak power supply: the kernel's own log of the word (0x00050005, then 0x00000000).
PI_UNDER_VOLTAGE = Trace("https://github.com/raspberrypi/linux/pull/2397", (_pi(530.474, "50005"), _pi(534.634, "0")))

# Raspberry Pi 3: the same bits at 38.6 degrees, so that heat is not the reason; and what stays set afterwards.
PI_COLD = Trace(
    "https://github.com/raspberrypi/firmware/issues/615", (_pi(0.0, "50000", 39.2), _pi(5.0, "50005", 38.6))
)

# Raspberry Pi 3B+: bit 3, the soft temperature limit, as the file gave it.
PI_SOFT_LIMIT = Trace(
    "https://github.com/custom-components/sensor.rpi_power/issues/6", (_pi(0.0, "80000"), _pi(5.0, "80008"))
)


def _pine(clock: str, celsius: int) -> tuple[float, dict[str, str]]:
    return _clock(clock), {
        "sys/class/thermal/thermal_zone0/type": "cpu_thermal_zone\n",
        "sys/class/thermal/thermal_zone0/temp": f"{celsius * 1000}\n",
    }


# PINE64 (Allwinner A64) under Linpack: armbianmonitor -m.
PINE64 = Trace(
    "https://github.com/longsleep/build-pine64-image/pull/3",
    (
        _pine("17:30:05", 66), _pine("17:30:10", 95), _pine("17:30:16", 93), _pine("17:30:21", 94),
        _pine("17:30:26", 98), _pine("17:30:32", 95), _pine("17:30:37", 95), _pine("17:30:43", 98),
        _pine("17:30:48", 96),
    ),
)  # fmt: skip


def _package(seconds: float, events: int) -> tuple[float, dict[str, str]]:
    return seconds, {"sys/devices/system/cpu/cpu2/thermal_throttle/core_throttle_count": f"{events}\n"}


# ThinkPad X1 Carbon of the 6th generation: the kernel's log of core events of CPU 2 (one event, normal 0.2 s later).
LAPTOP = Trace("https://github.com/erpalma/throttled/issues/186", (_package(76742.0, 2674), _package(76747.2, 2675)))

# Laptop whose two batteries are nearly and wholly empty: files of BAT0 and BAT1 as printed.
BATTERIES = Trace(
    "https://github.com/jaor/xmobar/issues/315",
    (
        (
            0.0,
            {
                "sys/class/power_supply/BAT0/type": "Battery\n",
                "sys/class/power_supply/BAT0/present": "1\n",
                "sys/class/power_supply/BAT0/capacity": "9\n",
                "sys/class/power_supply/BAT0/energy_full": "25860000\n",
                "sys/class/power_supply/BAT0/status": "Discharging\n",
            },
        ),
    ),
)

# Jetson AGX Orin, JetPack 6.4.7: the GPU's zone reads -256 degrees while the GPU is off.
ORIN_ZONES = Trace(
    "https://github.com/laminair/jetson_stats_node_exporter/issues/29",
    (
        (
            0.0,
            {
                "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
                "sys/class/thermal/thermal_zone0/temp": "47400\n",
                "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
                "sys/class/thermal/thermal_zone1/temp": "-256000\n",
            },
        ),
    ),
)
