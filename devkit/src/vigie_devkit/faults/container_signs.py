"""What an operator of containers sees of a fault: the engine's events, and what was recorded arriving."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vigie_devkit.faults.composed import ComposedSystem
from vigie_devkit.faults.watched import Watched


@dataclass(frozen=True)
class EngineReports:
    """``event`` of ``service`` among the engine's events."""

    service: str
    event: str

    def begin(self, system: Watched) -> object:
        return len(system.screen())

    def seen(self, system: Watched, before: object) -> bool:
        new = system.screen()[before if isinstance(before, int) else 0 :]
        return any(line == f"{self.service} {self.event}" for line in new.splitlines())

    def words(self) -> str:
        return f"the engine's events: {self.service} `{self.event}`"


@dataclass(frozen=True)
class LedgerIsKept:
    """What sync had recorded and not sent before the fault has arrived, under the ledger's former id."""

    def begin(self, system: Watched) -> object:
        return newest_ledger(system)

    def seen(self, system: Watched, before: object) -> bool:
        if not isinstance(system, ComposedSystem) or not system.recorded:
            return False
        return newest_ledger(system) == before and system.recorded <= arrived_traces(system)

    def words(self) -> str:
        return "upstream: what was recorded and not sent arrives, from the same ledger"


def newest_ledger(system: Watched) -> str:
    """Id of the ledger that sent last; empty: none yet."""
    found = ""
    for _, module, body in system.arrived(0):
        if module == "sync" and b'"boot"' in body:
            found = str(json.loads(body)["boot"])
    return found


def arrived_traces(system: Watched) -> set[str]:
    """Of every item upstream."""
    bodies = [json.loads(body) for _, module, body in system.arrived(0) if module == "sync" and b'"items"' in body]
    return {str(item.get("trace", "")) for body in bodies for item in body["items"]}
