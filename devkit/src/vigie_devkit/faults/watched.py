"""What a trial and its signs look at: the running system, as processes of this machine or as containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

FLOW = ("camera", "preprocess", "inference", "sync")


class Watched(Protocol):
    """Looks may fail while the system is under fault: with any exception, or with what stands for nothing."""

    @property
    def seed(self) -> int: ...

    def has_ended(self) -> bool:
        """Whether there is nothing left to look at."""

    def tail(self) -> str:
        """Its last words, for a failure's sentence."""

    def arrived(self, after: int) -> Iterator[tuple[int, str, bytes]]:
        """Messages upstream above sequence number ``after``: number, module, body."""

    def metric(self, module: str, name: str, labels: Mapping[str, str]) -> float | None: ...

    def log_text(self, process: str) -> str: ...

    def screen(self) -> str: ...

    def reported_text(self, module: str) -> str: ...

    def unready(self, modules: Sequence[str]) -> list[str]:
        """Those that are not ready now."""

    def hub_start(self) -> str:
        """Names this start of the hub: another after each. Empty while it does not run."""

    def answers(self, module: str) -> bool:
        """Whether a direct method reaches ``module`` through the hub now, and is answered with status 200."""

    def patch(self, module: str, desired: Mapping[str, Any]) -> int: ...
