"""What reached upstream, counted: lost, twice, out of order. Pure: records in, a verdict out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Account:
    """``messages``: the numbers that arrived, by ledger; a ledger numbers what it sends from 1 without a gap.

    ``repeated``: messages that came again under their own id, as delivery at least once may. ``twice``: items that came
    in more than one message.
    """

    messages: dict[str, set[int]] = field(default_factory=dict)
    traces: set[str] = field(default_factory=set)
    last_seq: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    twice: int = 0
    unordered: int = 0
    unreadable: int = 0
    newest_captured_ns: int = 0

    def take(self, envelopes: Iterable[Mapping[str, Any] | None]) -> None:
        """Envelopes in order of arrival; None for a body that is no JSON object."""
        for envelope in envelopes:
            if envelope is None or "items" not in envelope:
                self.unreadable += 1
                continue
            numbers, sent = self.messages.setdefault(str(envelope["boot"]), set()), int(envelope["sent"])
            if sent in numbers:
                self.repeated += 1  # under one idempotency key: whoever reads drops it
                continue
            numbers.add(sent)
            for item in envelope["items"]:
                self._take_item(item)

    def lost(self) -> int:
        """Messages of a ledger that are missing below its highest number."""
        return sum(max(sent) - len(sent) for sent in self.messages.values() if sent)

    def _take_item(self, item: Mapping[str, Any]) -> None:
        trace = str(item.get("trace", ""))
        if trace in self.traces:
            self.twice += 1
            return
        self.traces.add(trace)
        self.newest_captured_ns = max(self.newest_captured_ns, int(item.get("captured_ns", 0)))
        # A trace is CAMERA-BOOT-SEQ: numbers begin anew with each start of the camera module.
        source, _, number = trace.rpartition("-")
        if number.isdecimal():
            if int(number) < self.last_seq.get(source, -1):
                self.unordered += 1
            self.last_seq[source] = max(int(number), self.last_seq.get(source, -1))
