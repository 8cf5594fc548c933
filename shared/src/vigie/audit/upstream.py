"""Lines of the audit log as events for the cloud: each once it is on the disk, in order, at least once (decision 0053).

Where it got to is a file beside the log, so that what was written while the hub was away, or by a start before, goes
too. Whether lines go at all is the manifest's to say, and not a twin's: who changes a twin must not turn it off.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from vigie.audit.chain import BEGIN, IN_THE_CLEAR, ChainLine, Head, read_line
from vigie.audit.journal import FOLDER, log_files, read_head, read_log_file, write_head
from vigie.audit.sealed import opened
from vigie.config.environment import ModuleEnvironment
from vigie.contracts.envelope import AUDIT, EnvelopeHead
from vigie.errors import PermanentError, TransientError
from vigie.log import OncePer, get_logger
from vigie.messaging.upstream import UpstreamOutput
from vigie.sealing import Seals

log = get_logger(__name__)

SENT_FILE: Final = "sent.json"
_MOST_LINES: Final = 50
_LOOK_S: Final = 1.0
_RETRY_MAX_S: Final = 60.0
_SEND_S: Final = 5.0


class TooLarge(msgspec.Struct, frozen=True, omit_defaults=True):
    """Stands for a line that fits no message: its number and sums, so that the chain goes on."""

    n: int
    at: str
    module: str
    boot: str
    too_large: int
    prev: str
    sum: str


class AuditUpstream:
    """``run`` is the body of a thread."""

    def __init__(self, env: ModuleEnvironment, output: UpstreamOutput) -> None:
        """Nothing is read yet."""
        self._folder, self._output, self._module = env.state / FOLDER, output, env.module_id
        self._source = f"/{env.device_id}/{env.module_id}"
        self._seals = env.seals
        self._quiet = OncePer(600.0)
        self._seen: Head | None = None

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; what is not sent then goes at the next start."""
        pause_s = _LOOK_S
        while not stop.wait(pause_s):
            try:
                self._send_what_is_new(stop)
                pause_s = _LOOK_S
            except (TransientError, PermanentError, OSError) as error:
                if not isinstance(error, TransientError) and self._quiet.ready("audit") is not None:
                    log.warning("audit_not_sent", reason=str(error))
                pause_s = min(2 * pause_s, _RETRY_MAX_S)

    def _send_what_is_new(self, stop: threading.Event) -> None:
        """Raises: TransientError, PermanentError: not acknowledged. OSError: the log cannot be read."""
        head = read_head(self._folder)
        if head is None or head == self._seen:
            return
        sent = read_head(self._folder, SENT_FILE) or Head()
        while not stop.is_set() and (new := lines_after(self._files(sent), sent, self._seals)):
            limit = self._output.limit_bytes(self._properties("x" * 128), "x" * 128)
            items, sent = fitting(new, lambda items: len(self._body(items, Head(new[-1][0].n))), limit)
            message_id = f"{self._module}-audit-{sent.n}-{sent.sum[:16]}"
            self._output.send(self._body(items, sent), self._properties(message_id), message_id, _SEND_S)
            with contextlib.suppress(OSError):  # a full disk: then they go twice after the next start
                write_head(self._folder, sent, SENT_FILE)
        self._seen = head

    def _files(self, sent: Head) -> list[bytes]:
        """The newest files of the log, back to the one that holds what comes after ``sent``; oldest first."""
        found: list[bytes] = []
        for name in reversed(log_files(self._folder)):
            found.insert(0, read_log_file(self._folder / name))
            first = _line(found[0].partition(b"\n")[0], self._seals)
            if first is not None and first[0].n <= sent.n:
                break
        return found

    def _body(self, items: Sequence[bytes], last: Head) -> bytes:
        # ``boot`` is each line's own; the envelope counts by the log's numbers, over all starts.
        envelope = msgspec.json.encode(EnvelopeHead(str(AUDIT), self._module, "", last.n))
        return envelope[:-1] + b',"items":[' + b",".join(items) + b"]}"

    def _properties(self, message_id: str) -> dict[str, str]:
        kind = str(AUDIT).replace("/", ".")
        return {"specversion": "1.0", "id": message_id, "source": self._source, "type": kind}


def lines_after(files: Sequence[bytes], sent: Head, seals: Seals = IN_THE_CLEAR) -> list[tuple[ChainLine, bytes]]:
    """Whole lines behind ``sent``, as they were written; all there are, if ``sent`` is of another log."""
    lines = [
        found
        for content in files
        for text in content.split(b"\n")[:-1]
        if (found := _line(text, seals)) is not None
    ]  # fmt: skip
    known = next((line.sum for line, _ in lines if line.n == sent.n), None)
    follows = next((line.prev for line, _ in lines if line.n == sent.n + 1), sent.sum)
    if lines and (lines[-1][0].n < sent.n or (known or sent.sum) != sent.sum or follows != sent.sum):
        return lines[:_MOST_LINES]
    return [(line, text) for line, text in lines if line.n > sent.n][:_MOST_LINES]


def fitting(
    lines: Sequence[tuple[ChainLine, bytes]], size: Callable[[list[bytes]], int], limit: int
) -> tuple[list[bytes], Head]:
    """The first of ``lines`` that fit one message together, and the last of them; one that fits none is told of."""
    items: list[bytes] = []
    last = Head(0, BEGIN)
    for line, text in lines:
        item = text
        if size([item]) > limit:
            stub = TooLarge(line.n, line.at, line.module, line.boot, len(text), line.prev, line.sum)
            item = msgspec.json.encode(stub)
        if items and size([*items, item]) > limit:
            break
        items.append(item)
        last = Head(line.n, line.sum)
    return items, last


def _line(text: bytes, seals: Seals) -> tuple[ChainLine, bytes] | None:
    """A line and its text; None: somebody changed it, and whoever verifies the log is told. Raises: SealedError."""
    try:
        clear = opened(text, seals)
        return read_line(clear), clear
    except ValueError:
        return None
