"""Who may see the page: a token once, then a cookie. Neither is ever in a page, a URL or a log."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

COOKIE = "vigie_session"
# Guesses: ten at once, then one in six seconds. A token of 18 random bytes needs no more.
_GUESSES = 10
_GUESS_EVERY_S = 6.0
_SESSIONS_MAX = 256


class PageSessions:
    """Sessions in memory: a restart of the module signs everybody out. Used on the event loop."""

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """``token`` None: nobody needs to sign in (the connection itself is checked)."""
        self._token = token
        self._clock = clock
        self._ends_at: dict[str, float] = {}
        self._guesses = float(_GUESSES)
        self._guessed_at = clock()
        self.lasts_s = 720 * 60.0

    @property
    def needed(self) -> bool:
        return self._token is not None

    def open(self, token: str) -> str | None:
        """The new session's id for the right ``token``; None: wrong, or too many were tried."""
        now = self._clock()
        self._guesses = min(float(_GUESSES), self._guesses + (now - self._guessed_at) / _GUESS_EVERY_S)
        self._guessed_at = now
        if self._guesses < 1 or self._token is None:
            return None
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            self._guesses -= 1
            return None
        self._forget_ended(now)
        while len(self._ends_at) >= _SESSIONS_MAX:
            del self._ends_at[min(self._ends_at, key=self._ends_at.__getitem__)]
        session = secrets.token_urlsafe(24)
        self._ends_at[session] = now + self.lasts_s
        return session

    def valid(self, session: str | None) -> bool:
        """Whether ``session`` is open; if so it lasts anew from now."""
        if not self.needed:
            return True
        now = self._clock()
        if session is None or self._ends_at.get(session, now) <= now:
            return False
        self._ends_at[session] = now + self.lasts_s
        return True

    def close(self, session: str | None) -> None:
        self._ends_at.pop(session or "", None)

    def close_all(self) -> int:
        """Sign everybody out; returns how many there were."""
        ended = len(self._ends_at)
        self._ends_at.clear()
        return ended

    def _forget_ended(self, now: float) -> None:
        self._ends_at = {session: ends_at for session, ends_at in self._ends_at.items() if ends_at > now}
