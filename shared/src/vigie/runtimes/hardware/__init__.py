"""The hardware probe: what is here, what of it is usable, what is missing and how to get it."""

from __future__ import annotations

from vigie.runtimes.hardware.probe import probe
from vigie.runtimes.hardware.report import Cpu, Device, HardwareReport, Installed, Sensor
from vigie.runtimes.hardware.tree import ProcessIdentity

__all__ = ["Cpu", "Device", "HardwareReport", "Installed", "ProcessIdentity", "Sensor", "probe"]
