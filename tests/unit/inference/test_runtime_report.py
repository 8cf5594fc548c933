"""What is told of the runtime by several threads: the last that is told is what is so."""

from __future__ import annotations

import threading
from typing import Any, cast

from vigie.health import Health
from vigie.metrics import MetricsPart
from vigie_inference.runtime_report import RuntimeReport
from vigie_inference.seats.seat_service import SeatService


class Twin:
    """The first report is slow; meanwhile another thread tells too."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.meanwhile: threading.Thread | None = None
        self.other = threading.Event()

    def report(self, patch: dict[str, Any]) -> None:
        raise AssertionError(patch)

    def report_whole(self, name: str, value: dict[str, Any] | None) -> None:
        assert (name, value is not None) == ("runtime_state", True)
        if self.meanwhile is not None:
            begin, self.meanwhile = self.meanwhile.start, None
            begin()
            self.other.wait(0.3)  # one that does not wait for this report is told by then
        self.told.append((value or {})["phase"])


class Service:
    def __init__(self) -> None:
        self.metrics, self.health, self.twin = MetricsPart(), Health(), Twin()


def test_an_older_state_is_never_told_after_a_newer_one() -> None:
    service = Service()
    report = RuntimeReport(cast("SeatService", service))

    def settle() -> None:
        report.update(phase="settled")
        service.twin.other.set()

    service.twin.meanwhile = threading.Thread(target=settle)
    report.update(phase="measuring")
    assert service.twin.other.wait(30)
    assert service.twin.told == ["measuring", "settled"]
    assert report.state.phase == "settled"
