"""`GetModuleLogs`: which lines of which log, and the shape that edgeAgent gives them.

Source: Azure/iotedge, Edge.Agent.Core/logs (LogMessageParser, LogsRequestToOptionsMapper, ModuleLogFilter);
learn.microsoft.com, "Retrieve logs from IoT Edge deployments".
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from vigie_devkit.local.logfiles import KEEP, numbered
from vigie_edgehub.agent import MAX_ANSWER_BYTES

MAX_LOG_BYTES = 127_000
"""Of one module; more is answered by a sentence in the place of the lines, as edgeAgent does."""

_ALL = "all"
_INFORMATIONAL = 6
# The form that edgeAgent reads: <LEVEL> TIMESTAMP TEXT, both in front optional.
_LINE = re.compile(
    r"^(?:<(?P<level>\d)>)?\s*(?:(?P<at>\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d.\d{3}\s[+-]\d\d:\d\d)\s)?\s*(?P<text>.*)",
    re.DOTALL,
)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(d(?:ays?)?|h(?:ours?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\s*", re.IGNORECASE
)


class RequestRefusedError(ValueError):
    """The request is wrong; edgeAgent answers 400 with this text."""


class LogFilter(msgspec.Struct, frozen=True):
    """What of a log is wanted. ``since``, ``until``: a duration back from now, RFC 3339, or a UNIX time."""

    tail: Annotated[int, msgspec.Meta(ge=1)] | None = None
    since: str | int | None = None
    until: str | int | None = None
    loglevel: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    regex: str | None = None


class LogItem(msgspec.Struct, frozen=True):
    """``id`` is a regular expression over module ids, or ``all``; the first item that names a module counts."""

    id: str
    filter: LogFilter = LogFilter()


class LogsRequest(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: str
    items: LogItem | list[LogItem]
    encoding: Literal["none", "gzip"] = "none"
    content_type: Literal["text", "json"] = "text"


class LoggedLine(msgspec.Struct, frozen=True):
    """One line of a log; ``at`` is when it was written, as far as that is known (seconds since the epoch)."""

    raw: str
    at: float | None
    level: int
    stamp: str | None
    text: str


def module_logs(
    request: LogsRequest, files: Mapping[str, Path], *, now: float, device_id: str, iothub: str
) -> list[dict[str, Any]]:
    """The answer's payload: ``id``, ``payloadBytes``, ``payload`` per module.

    Args: files: the log of each module. Raises: RequestRefusedError.
    """
    items = [request.items] if isinstance(request.items, LogItem) else request.items
    answers = []
    left = MAX_ANSWER_BYTES - 1_024
    for module, wanted in _chosen(items, list(files)).items():
        lines = select(read_lines(files[module]), wanted, now)
        if request.content_type == "json":
            shown = [_message(line, module, device_id, iothub) for line in lines]
            content = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        else:
            content = "".join(f"{line.raw}\n" for line in lines)
        answer = _answer(module, content, request.encoding)
        size = len(json.dumps(answer).encode())
        if size > left:
            answer = _answer(module, _too_large(size, left), "none")
            size = len(json.dumps(answer).encode())
        left -= size
        answers.append(answer)
    return answers


def select(lines: Sequence[LoggedLine], wanted: LogFilter, now: float) -> list[LoggedLine]:
    """Time first, then the last ones of these, then level and expression. Raises: RequestRefusedError."""
    since, until = (None if one is None else moment(one, now) for one in (wanted.since, wanted.until))
    kept = [line for line in lines if _within(line, since, until)]
    if wanted.tail is not None:
        kept = kept[-wanted.tail :]
    expression = None if wanted.regex is None else _compiled(wanted.regex)
    return [
        line
        for line in kept
        if (wanted.loglevel is None or line.level == wanted.loglevel)
        and (expression is None or expression.search(line.text))
    ]


def moment(text: str | int, now: float) -> float:
    """Seconds since the epoch of ``text``. Raises: RequestRefusedError: none of the three forms."""
    written = str(text).strip()
    if written.isdecimal():
        return float(written)
    parts = list(_DURATION.finditer(written))
    if parts and "".join(part[0] for part in parts) == written:
        return now - sum(float(part[1]) * _UNITS[part[2][0].lower()] for part in parts)
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RequestRefusedError(
            f"{written!r} is neither a duration ('2 h', '1 day 30 minutes'), nor RFC 3339 with its offset, "
            "nor a UNIX time"
        )
    return at.timestamp()


def read_lines(log: Path) -> list[LoggedLine]:
    """All lines, those of the rotated files first. A line without a time of its own has its predecessor's."""
    lines: list[LoggedLine] = []
    at: float | None = None
    for file in [numbered(log, number) for number in range(KEEP, 0, -1)] + [log]:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        for raw in text.splitlines():
            parsed = _LINE.match(raw)
            assert parsed is not None  # noqa: S101 - every part is optional
            at = _written_at(raw, parsed["at"]) or at
            lines.append(LoggedLine(raw, at, int(parsed["level"] or _INFORMATIONAL), parsed["at"], parsed["text"]))
    return lines


def _written_at(raw: str, stamp: str | None) -> float | None:
    """On a device Docker keeps the time of each line; here the line's own stamp has to do."""
    try:
        if stamp is not None:
            return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f %z").timestamp()
        if raw.startswith("{"):
            return datetime.fromisoformat(json.loads(raw)["timestamp"]).timestamp()
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _within(line: LoggedLine, since: float | None, until: float | None) -> bool:
    if line.at is None:
        return since is None  # before the first line with a time: old
    return (since is None or line.at >= since) and (until is None or line.at <= until)


def _chosen(items: Sequence[LogItem], modules: Sequence[str]) -> dict[str, LogFilter]:
    chosen: dict[str, LogFilter] = {}
    for item in items:
        expression = None if item.id.lower() == _ALL else _compiled(item.id)
        for module in modules:
            if expression is None or expression.search(module):
                chosen.setdefault(module, item.filter)
    return chosen


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.IGNORECASE)
    except re.error as error:
        raise RequestRefusedError(f"{expression!r} is not a regular expression: {error}") from error


def _message(line: LoggedLine, module: str, device_id: str, iothub: str) -> dict[str, Any]:
    return {
        "iothub": iothub,
        "device": device_id,
        "id": module,
        "stream": "stdout",
        "loglevel": line.level,
        "text": line.text,
        "timestamp": line.stamp,
    }


def _answer(module: str, content: str, encoding: str) -> dict[str, Any]:
    if encoding == "gzip":
        packed = gzip.compress(content.encode(), mtime=0)
        if len(packed) <= MAX_LOG_BYTES:
            return {"id": module, "payloadBytes": base64.b64encode(packed).decode(), "payload": None}
        content = _too_large(len(packed), MAX_LOG_BYTES)
    elif len(content) > MAX_LOG_BYTES:
        content = _too_large(len(content), MAX_LOG_BYTES)
    return {"id": module, "payloadBytes": None, "payload": content}


def _too_large(size: int, limit: int) -> str:
    return (
        f"The payload is too large for a direct method. GetModuleLogs supports up to {limit} bytes of logs. "
        f"The current request returned {size} bytes.\n"
        "Try reducing the size of the logs by setting the 'tail', 'since' and 'until' fields in log options filter."
    )
