"""Logging: an event and fields, never prose; JSON lines in a container, a readable line on a terminal."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import MutableMapping
from typing import Any, Protocol, cast

import structlog

from vigie.log_sink import LineSink
from vigie.source_url import redact

__all__ = ["Logger", "OncePer", "Redacted", "SecretUrl", "configure_logging", "get_logger", "redact"]

_STANDARD_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Redacted:
    """A value that no log, error, twin or repr shows; ``reveal()`` is the one way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hold ``value``."""
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<redacted>"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "<redacted>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a redacted value is not pickled")


class SecretUrl(Redacted):
    """A URL with credentials: shown by its template (``rtsp://user:${DOCK}@host/``), revealed only to open it."""

    __slots__ = ("template",)

    def __init__(self, value: str, template: str) -> None:
        """``template`` is what may be shown; a password in it is hidden as well."""
        super().__init__(value)
        self.template = redact(template)

    def __repr__(self) -> str:
        return self.template

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.template, spec)


class Logger(Protocol):
    """What the house uses of a structlog logger."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...
    def exception(self, event: str, **fields: object) -> object: ...


def get_logger(name: str) -> Logger:
    """The logger of a Python module; it may be made at import, before ``configure_logging``."""
    return cast("Logger", structlog.get_logger(part=name.removeprefix("vigie.")))


def configure_logging(module: str, *, style: str = "auto", level: str = "info") -> None:
    """Set up the process's log on stderr: ``json``, ``console``, or ``auto`` (console on a terminal)."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    threshold = _STANDARD_LEVELS[level]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    before_render: list[Any] = [] if console else [structlog.processors.format_exc_info]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(module),
        *before_render,
        _redact_fields,
    ]

    def tell(count: int) -> str:
        """The line that stands for ``count`` lost ones."""
        event: Any = {"event": "log_lines_lost", "count": count, "module": module}
        for processor in (*shared, renderer):
            event = processor(None, "warning", event)
        return str(event)

    sink = LineSink(sys.stderr, tell)
    _sinks[:] = [sink]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=_never_raising(structlog.make_filtering_bound_logger(threshold), sink),
        logger_factory=lambda *_: _Lines(sink),
        cache_logger_on_first_use=False,
    )
    handler = _SinkHandler(sink)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    # The SDK and paho tell of every packet; what matters of it is said by the link, with our words.
    for noisy in ("azure", "paho"):
        logging.getLogger(noisy).setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_not_a_strangers)


def _not_a_strangers(record: logging.LogRecord) -> bool:
    """A malformed request is answered 400, and one that hangs up needs no answer: a stack in the log for each would let
    strangers fill it, with pieces of what they sent.
    """
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not (kind.__module__ == "aiohttp.http_exceptions" or issubclass(kind, ConnectionError))


def lines_lost() -> int:
    """Log lines that this process could not write since its start."""
    return sum(sink.lost for sink in _sinks)


# The one sink of the process, once ``configure_logging`` has run.
_sinks: list[LineSink] = []


class _Lines:
    """What structlog hands a rendered line to, whatever its level."""

    def __init__(self, sink: LineSink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = sink.write_line


class _SinkHandler(logging.Handler):
    """The standard library's records go the same way as ours."""

    def __init__(self, sink: LineSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self._sink.count_lost()
        else:
            self._sink.write_line(line)


def _never_raising(bound: Any, sink: LineSink) -> Any:
    """``bound`` that counts a line which cannot be rendered (a ``__str__`` that raises) instead of raising."""

    class NeverRaising(bound):  # type: ignore[misc]  # structlog makes the class at run time
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **fields: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **fields)
            except Exception:
                sink.count_lost()
                return None

    return NeverRaising


class OncePer:
    """Lets one of many equal lines through per interval, and says how many it held back."""

    def __init__(self, interval_s: float = 10.0) -> None:
        """Count per key; thread-safe."""
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, int]] = {}

    def ready(self, key: str) -> int | None:
        """None: stay quiet. Otherwise how many were held back since the last line of this ``key``."""
        now = time.monotonic()
        with self._lock:
            last, held = self._last.get(key, (-self._interval_s, 0))
            if now - last < self._interval_s:
                self._last[key] = (last, held + 1)
                return None
            self._last[key] = (now, 0)
            return held


def _named(module: str) -> Any:
    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("module", module)
        return event

    return name


def _redact_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _redact_value(value)
    return event


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
