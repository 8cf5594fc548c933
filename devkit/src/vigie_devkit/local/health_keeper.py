"""When a process that runs but makes no progress is ended: a rule over what /healthz answers. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

# Past the module's own limits (30 s and more), so that a moment of load does not count.
STALLED_FOR_S = 15.0
# An answer costs milliseconds; a machine that is busy to its neck still gives one in half a minute.
SILENT_FOR_S = 30.0
# Looks further apart than this prove nothing: the machine slept, or we did.
LOOK_GAP_MAX_S = 20.0


@dataclass(frozen=True)
class HealthAnswer:
    """Of one look: ``well``, or why not; ``silent``: there was no answer at all."""

    well: bool
    reason: str = ""
    silent: bool = False


@dataclass
class _Row:
    pid: int
    seen_at: float
    answered: bool = False
    bad_since: float | None = None
    silent: bool = False


class HealthKeeper:
    """Told each look; says when a process has to be ended, with the reason."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def look(self, name: str, pid: int, answer: HealthAnswer, now: float) -> str | None:
        """The reason to end process ``pid`` of ``name`` now, or None. ``now``: seconds of a monotonic clock.

        A process that has never answered is starting: ending and crashing are another's to judge.
        """
        row = self._rows.get(name)
        if row is None or row.pid != pid:
            row = self._rows[name] = _Row(pid, now)
        slept = now - row.seen_at > LOOK_GAP_MAX_S
        row.seen_at = now
        row.answered |= not answer.silent
        if answer.well or not row.answered:
            row.bad_since = None
            return None
        if row.bad_since is None or slept or row.silent != answer.silent:
            row.bad_since, row.silent = now, answer.silent
        bad_for_s = now - row.bad_since
        if bad_for_s < (SILENT_FOR_S if answer.silent else STALLED_FOR_S):
            return None
        del self._rows[name]
        return f"no answer from /healthz for {bad_for_s:.0f} s" if answer.silent else answer.reason
