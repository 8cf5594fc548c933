"""Telling senders how far we are: a cursor in the shared frame folder, or credit messages where it is not shared."""

from __future__ import annotations

import threading
from pathlib import Path

from vigie.contracts.credit import Credit
from vigie.frames.cursor import CursorReader, CursorWriter
from vigie.log import OncePer, get_logger
from vigie.messaging.output import Output

log = get_logger(__name__)


def open_progress(folder: Path, module_id: str, consumer: tuple[str, str]) -> CursorReader:
    """The sender's view of ``consumer`` (module, input). The cursor is named by the consumer's *input*: it is the one
    name of the stream that both sides know (a message does not carry its output).
    """
    return CursorReader.open(folder, sender=module_id, output=consumer[1], consumer=consumer[0])


class InputProgress:
    """Progress of one input of this module, per sender. Thread-safe."""

    def __init__(self, folder: Path, module_id: str, input_name: str, credits_out: Output[Credit] | None) -> None:
        """``credits_out``: the output ``credit``; used only when a sender asks."""
        self._folder = folder
        self._module_id = module_id
        self._input = input_name
        self._credits = credits_out
        self._lock = threading.Lock()
        self._cursors: dict[str, CursorWriter | None] = {}
        self._furthest: dict[str, tuple[str, int]] = {}
        self._quiet = OncePer(60.0)

    def processed(self, sender: str, boot: str, sent: int, *, credit_wanted: bool) -> None:
        """``sent`` 0: nothing new, but the sender asks again (a credit message may have been lost)."""
        with self._lock:
            known_boot, known = self._furthest.get(sender, ("", 0))
            if boot == known_boot:
                sent = max(sent, known)
            self._furthest[sender] = (boot, sent)
            cursor = self._cursor(sender) if sent else None
            if cursor is not None:
                try:
                    cursor.advance(boot, sent)
                except OSError as error:
                    self._complain(error)
        if credit_wanted and sent and self._credits is not None:
            credit = Credit(self._module_id, sender, self._input, boot, sent)
            self._credits.offer(credit, key=f"{sender}/{self._input}", keep=False)

    def close(self) -> None:
        with self._lock:
            for cursor in self._cursors.values():
                if cursor is not None:
                    cursor.close()
            self._cursors.clear()

    def _cursor(self, sender: str) -> CursorWriter | None:
        if sender not in self._cursors:
            try:
                self._cursors[sender] = CursorWriter.open(
                    self._folder, sender=sender, output=self._input, consumer=self._module_id
                )
            except OSError as error:
                self._complain(error)
                self._cursors[sender] = None
        return self._cursors[sender]

    def _complain(self, error: OSError) -> None:
        if self._quiet.ready("cursor") is not None:
            log.warning("cursor_not_written", input=self._input, folder=str(self._folder), reason=str(error))
