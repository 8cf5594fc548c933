"""What a supervisor leaves in a module's state folder when it ends it for want of progress: how often, why, when.

Written from outside (`vigie up`, the health check of the container), told by the module's next incarnation.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.health import Health
from vigie.log import get_logger
from vigie.metrics import Metrics

log = get_logger(__name__)

FILE = "health-restarts.json"
REASON_MAX = 400


class HealthRestarts(msgspec.Struct, frozen=True):
    """``count`` since the folder was made; ``at``: UTC, of the last one; ``told``: the module has logged it."""

    count: int
    reason: str
    by: str
    at: str
    told: bool = False


def record(state: Path, *, reason: str, by: str, at: str) -> HealthRestarts:
    """One more, before the module is ended. Raises: OSError: the folder cannot be written."""
    before = read(state)
    after = HealthRestarts((0 if before is None else before.count) + 1, reason[:REASON_MAX], by, at)
    write_atomically(state / FILE, msgspec.json.encode(after))
    return after


def read(state: Path) -> HealthRestarts | None:
    """None where there was none, or what is there cannot be read: a count is not worth a start."""
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=HealthRestarts)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def tell(state: Path, metrics: Metrics, health: Health) -> None:
    """Log, metric and a note in /readyz; once per restart in the log."""
    last = read(state)
    if last is None:
        return
    metrics.health_restarts.set(last.count)
    health.note("restarted", f"ended {last.count} times for want of progress, last at {last.at}: {last.reason}")
    if last.told:
        return
    log.warning("module_was_restarted", by=last.by, at=last.at, count=last.count, reason=last.reason)
    try:
        write_atomically(state / FILE, msgspec.json.encode(msgspec.structs.replace(last, told=True)))
    except OSError:
        return  # told again at the next start
