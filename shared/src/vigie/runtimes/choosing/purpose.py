"""What the image that this is was made for, and whether it can do it here: a function of the report."""

from __future__ import annotations

import sys

import msgspec

from vigie.runtimes.choosing.candidates import unavailable
from vigie.runtimes.hardware.report import HardwareReport
from vigie.runtimes.providers import TABLE, Row

IMAGE = "vigie-inference"
_GRPC = "-grpc"
_NO_DEVICE = "run it on a device that has one, and give the container its nodes (docs/deploy.md, 'What the host needs')"
_NO_DELEGATE = "needs a vendor's library", "name it: runtime.delegate in the twin (docs/hardware.md)"
_NO_SERVER = "needs a model server on another machine", "name it: runtime.remote in the twin (docs/runtimes.md)"


class Purpose(msgspec.Struct, frozen=True):
    """``what``: provider and device. ``why_not``: empty if it can be used here; ``remedy``: what would change that."""

    what: str
    title: str
    why_not: str
    remedy: str


def purposes(report: HardwareReport) -> tuple[Purpose, ...]:
    """Of the image that this report was made in; nothing outside inference's images."""
    image = report.image
    if image is None or image.name != IMAGE:
        return ()
    rows = [row for row in TABLE.values() if image.key in row.images] or [TABLE["cpu"]]
    found = [_purpose(row, device, report) for row in rows for device in row.devices]
    if image.key.endswith(_GRPC):
        found.append(Purpose("kserve:remote", "a model that another machine runs, by gRPC", *_NO_SERVER))
    return tuple(found)


def _purpose(row: Row, device: str, report: HardwareReport) -> Purpose:
    installed = {package.name: package.version for package in report.packages}
    why_not, remedy = unavailable(row, device, report, installed, platform=sys.platform) or ("", "")
    if not why_not and row.named:
        why_not, remedy = _NO_DELEGATE
    need = row.devices[device]
    if not remedy and need.ids and report.device(*need.ids) is None:
        remedy = _NO_DEVICE
    return Purpose(f"{row.id}:{device}", row.title, why_not, remedy)
