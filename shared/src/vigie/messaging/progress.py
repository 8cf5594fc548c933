"""Telling senders how far we are: a cursor in the signals folder, or credit messages where it is not shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from vigie.contracts.credit import Credit
from vigie.frames.cursor import CursorReader, CursorWriter
from vigie.log import OncePer, get_logger
from vigie.messaging.output import Output
from vigie.messaging.reorder import Lane

log = get_logger(__name__)


def cursor_name(lane: Lane, input_name: str) -> str:
    """The cursor is named by the consumer's *input*: it is the one name of the stream that both sides know (a message
    does not carry its output). Each lane has its own: numbers of one say nothing about those of the other.
    """
    return input_name if lane is Lane.ROUTE else f"{input_name}~{lane}"


def open_progress(
    folders: tuple[Path, ...], module_id: str, consumer: tuple[str, str], lane: Lane = Lane.ROUTE
) -> Cursors:
    """The sender's view of ``consumer`` (module, input), in whichever of ``folders`` it writes its cursor."""
    name = cursor_name(lane, consumer[1])
    return Cursors(
        [CursorReader.open(folder, sender=module_id, output=name, consumer=consumer[0]) for folder in folders]
    )


class Cursors:
    """The furthest of a consumer's cursors: the version before wrote it into the frame folder."""

    def __init__(self, readers: list[CursorReader]) -> None:
        self._readers = readers

    def position(self, boot: str) -> int | None:
        """See ``CursorReader.position``."""
        found = None
        for reader in self._readers:
            position = reader.position(boot)
            if position is not None and (found is None or position > found):
                found = position
        return found

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


class InputProgress:
    """Progress of one input of this module, per sender. Thread-safe."""

    def __init__(
        self,
        folders: tuple[Path, ...],
        module_id: str,
        input_name: str,
        credits_out: Output[Credit] | None,
        wake: Callable[[str], None] | None = None,
    ) -> None:
        """``folders``: signals, and where the version before looks if that is elsewhere. ``credits_out``: the output
        ``credit``; used only when a sender asks. ``wake``: tells a sender, by its socket, that it may look.
        """
        self._folders = folders
        self._module_id = module_id
        self._input = input_name
        self._credits = credits_out
        self._wake = wake
        self._lock = threading.Lock()
        self._cursors: dict[tuple[str, Lane, Path], CursorWriter | None] = {}
        self._furthest: dict[tuple[str, Lane], tuple[str, int]] = {}
        self._quiet = OncePer(60.0)

    def processed(
        self,
        sender: str,
        boot: str,
        sent: int,
        *,
        credit_wanted: bool,
        lane: Lane = Lane.ROUTE,
        wake: str = "",
    ) -> None:
        """``sent`` 0: nothing new, but the sender asks again (a credit message may have been lost).

        ``wake``: the sender's socket, if it waits for this message.
        """
        with self._lock:
            known_boot, known = self._furthest.get((sender, lane), ("", 0))
            if boot == known_boot:
                sent = max(sent, known)
            self._furthest[sender, lane] = (boot, sent)
            if sent:
                # A sender that asks for credit does not see the cursor: it may be of the version before.
                everywhere = credit_wanted or (sender, lane, self._folders[-1]) in self._cursors
                for folder in self._folders if everywhere else self._folders[:1]:
                    self._advance(folder, sender, lane, boot, sent)
        if wake and self._wake is not None:
            self._wake(wake)
        if credit_wanted and sent and self._credits is not None:
            credit = Credit(self._module_id, sender, self._input, boot, sent)
            self._credits.offer(credit, key=f"{sender}/{self._input}", keep=False)

    def close(self) -> None:
        with self._lock:
            for cursor in self._cursors.values():
                if cursor is not None:
                    cursor.close()
            self._cursors.clear()

    def _advance(self, folder: Path, sender: str, lane: Lane, boot: str, sent: int) -> None:
        key = (sender, lane, folder)
        try:
            if key not in self._cursors:
                self._cursors[key] = None
                name = cursor_name(lane, self._input)
                self._cursors[key] = CursorWriter.open(folder, sender=sender, output=name, consumer=self._module_id)
            cursor = self._cursors[key]
            if cursor is not None:
                cursor.advance(boot, sent)
        except OSError as error:
            if self._quiet.ready("cursor") is not None:
                log.warning("cursor_not_written", input=self._input, folder=str(folder), reason=str(error))
