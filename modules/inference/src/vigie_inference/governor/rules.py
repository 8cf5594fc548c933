"""When less is done, and how much less: readings in, a level out. No clock, no file, no thread.

A level is taken after a reason has held for ``PRESSED_S`` and given back after ``CALM_S`` without any: a moment's peak
changes nothing. Where the reason returns soon after a level was given back, the next wait is twice as long, up to
``CALM_MAX_S``, so that a machine at its limit does not swing. Between the bounds of a reading nothing changes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie.runtimes.hardware.battery import Battery
from vigie.runtimes.hardware.slowing import Slowing
from vigie.runtimes.hardware.thermal import ThermalZone
from vigie_inference.governor.settings import GovernorConfig

Kind = Literal["temperature", "slowed", "power", "battery", "objective"]

PRESSED_S, CALM_S, CALM_MAX_S = 20.0, 60.0, 960.0
# Readings that are further apart (the machine slept) do not follow from each other.
GAP_S = 60.0
# Below where the kernel lowers clocks; and where it does not say.
MARGIN_C, HOT_C = 5.0, 80.0
# Some drivers set a trip point far below as a notice for user space (x86_pkg_temp).
LIMIT_MIN_C = 60.0
# What has to be left again before anything is given back.
COOLER_C, LESS_POWER, MORE_PERCENT = 7.0, 0.85, 5.0


class Level(msgspec.Struct, frozen=True):
    """``saving``: the engine and variant that need least energy. ``rate``: share of the frames that is inferred."""

    saving: bool
    rate: float


LEVELS = (Level(False, 1.0), Level(True, 1.0), Level(True, 0.5), Level(True, 0.25), Level(True, 0.0))
LAST = len(LEVELS) - 1


class Reason(msgspec.Struct, frozen=True):
    """``text``: for people; nothing is decided by it."""

    kind: Kind
    text: str


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """What was read at one moment. ``watts``: drawn on average since the readings before; None without a meter."""

    zones: tuple[ThermalZone, ...] = ()
    slowing: Slowing = Slowing()
    watts: float | None = None
    battery: Battery | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered from one reading to the next; ``level`` and ``reasons`` are what follows from the last one."""

    level: int = 0
    reasons: tuple[Reason, ...] = ()
    read_s: float | None = None
    pressed_since_s: float | None = None
    calm_since_s: float | None = None
    given_back_s: float | None = None
    calm_s: float = CALM_S
    count: int | None = None
    critical: bool = False


def effects(standing: Standing, settings: GovernorConfig) -> Level:
    """What is to be done at this level, within what the twin allows."""
    level = LEVELS[standing.level]
    return Level(level.saving, max(level.rate, settings.rate_min))


def hottest(readings: Readings, settings: GovernorConfig) -> tuple[ThermalZone, float] | None:
    """The zone that is nearest to where it counts as hot, and that temperature; None where nothing can be read."""
    pairs = [(zone, _hot(zone, settings)) for zone in readings.zones]
    return min(pairs, key=lambda pair: pair[1] - pair[0].celsius, default=None)


def step(
    before: Standing, readings: Readings, settings: GovernorConfig, now_s: float, *, asked: bool = False
) -> Standing:
    """The standing after these readings.

    Args: now_s: of a clock that only goes forward. asked: the twin's objective is ``power_critical``.
    """
    count = readings.slowing.count
    if not settings.on:
        return Standing(read_s=now_s, count=count)
    if before.read_s is None or now_s - before.read_s > GAP_S:
        before = msgspec.structs.replace(before, pressed_since_s=None, calm_since_s=None, count=count)
    critical = _critical(before, readings, settings)
    forced = [*_asked(asked=asked), *critical]
    reasons = (*forced, *_temperature(readings, settings), *_slowed(before, readings), *_power(readings, settings))
    after = msgspec.structs.replace(before, read_s=now_s, count=count, critical=bool(critical))
    if forced:
        return msgspec.structs.replace(after, level=LAST, reasons=reasons, pressed_since_s=None, calm_since_s=None)
    if reasons:
        return _pressed(after, reasons, now_s)
    if not _calm(readings, settings):
        return msgspec.structs.replace(after, pressed_since_s=None, calm_since_s=None)
    return _at_ease(after, now_s)


def _pressed(now: Standing, reasons: tuple[Reason, ...], now_s: float) -> Standing:
    since_s = now_s if now.pressed_since_s is None else now.pressed_since_s
    held = msgspec.structs.replace(now, calm_since_s=None, pressed_since_s=since_s)
    if now_s - since_s < PRESSED_S:
        # What is not done yet has no reason yet.
        return msgspec.structs.replace(held, reasons=reasons if now.level else ())
    swings = now.given_back_s is not None and now_s - now.given_back_s < 2 * now.calm_s
    return msgspec.structs.replace(
        held,
        level=min(LAST, now.level + 1),
        reasons=reasons,
        pressed_since_s=now_s,
        given_back_s=None,
        calm_s=min(CALM_MAX_S, now.calm_s * 2) if swings else now.calm_s,
    )


def _at_ease(now: Standing, now_s: float) -> Standing:
    since_s = now_s if now.calm_since_s is None else now.calm_since_s
    held = msgspec.structs.replace(now, pressed_since_s=None, calm_since_s=since_s)
    if now_s - since_s < now.calm_s:
        return held
    if now.level == 0:
        return msgspec.structs.replace(held, reasons=(), calm_s=CALM_S)
    level = now.level - 1
    return msgspec.structs.replace(
        held, level=level, reasons=now.reasons if level else (), calm_since_s=now_s, given_back_s=now_s
    )


def _asked(*, asked: bool) -> list[Reason]:
    return [Reason("objective", "$.runtime.objective is power_critical")] if asked else []


def _critical(before: Standing, readings: Readings, settings: GovernorConfig) -> list[Reason]:
    battery, bound = readings.battery, settings.battery_percent
    if battery is None or not battery.in_use or bound <= 0:
        return []
    if battery.percent <= bound + (MORE_PERCENT if before.critical else 0):
        return [Reason("battery", f"battery at {battery.percent:g} %, $.governor.battery_percent is {bound:g}")]
    return []


def _hot(zone: ThermalZone, settings: GovernorConfig) -> float:
    if settings.hot_celsius is not None:
        return settings.hot_celsius
    limit = zone.limit_celsius
    return HOT_C if limit is None or limit < LIMIT_MIN_C else limit - MARGIN_C


def _temperature(readings: Readings, settings: GovernorConfig) -> list[Reason]:
    found = hottest(readings, settings)
    if found is None or found[0].celsius < found[1]:
        return []
    zone, hot = found
    return [Reason("temperature", f"{zone.name} at {zone.celsius:.1f} degrees Celsius, hot from {hot:g}")]


def _slowed(before: Standing, readings: Readings) -> list[Reason]:
    slowing = readings.slowing
    told = list(slowing.flags)
    if slowing.count is not None and before.count is not None and slowing.count > before.count:
        told.append(f"{slowing.count - before.count} throttling events of the CPU")
    return [Reason("slowed", f"the machine slows itself down: {', '.join(told)}")] if told else []


def _power(readings: Readings, settings: GovernorConfig) -> list[Reason]:
    watts, most = readings.watts, settings.power_watts_max
    if watts is None or most is None or watts <= most:
        return []
    return [Reason("power", f"{watts:.1f} W drawn, $.governor.power_watts_max is {most:g}")]


def _calm(readings: Readings, settings: GovernorConfig) -> bool:
    """Well below every bound, so that what is given back may stay."""
    found = hottest(readings, settings)
    if found is not None and found[0].celsius > found[1] - COOLER_C:
        return False
    watts, most = readings.watts, settings.power_watts_max
    return watts is None or most is None or watts <= most * LESS_POWER
