"""From a request to a verified bundle in the store: what only needs time or room is tried again until it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from vigie.errors import DownloadError, DownloadRefusedError, SecretMissingError, SecretRefusedError, VigieError
from vigie.ledger.age_clock import plausible
from vigie.models.download import PIECE_BYTES, Conduct
from vigie.secrets import SecretStore
from vigie.transfers import Rate, is_quiet
from vigie_inference.update.download_rules import DownloadRules
from vigie_inference.update.record import StoredBundle
from vigie_inference.update.release_store import ReleaseStore
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.wish import RefusedError, UpdateRequest

RETRY_FIRST_S, RETRY_MAX_S = 2.0, 300.0
# A newer request waits this long for a server that has stalled: less than who fetches by hand is patient.
SILENT_S = 10.0
_LOOK_S = 0.2
_PIECE_BYTES_MIN = 1024


class _QuietHoursError(Exception):
    """They have begun: the download goes on afterwards."""


class Fetching:
    """Used by the thread of updates."""

    def __init__(
        self, store: ReleaseStore, report: UpdateReport, secrets: SecretStore, rules: Callable[[], DownloadRules]
    ) -> None:
        """``rules``: those in force, asked for again and again."""
        self._store, self._report, self._secrets, self._rules = store, report, secrets, rules
        self._rate = Rate()

    def held(self, wanted: UpdateRequest, go_on: Callable[[], None]) -> StoredBundle:
        """The bundle. ``go_on`` is called often and raises to end it.

        Raises: RefusedError: it can never serve; what ``go_on`` raises.
        """
        wait_s = RETRY_FIRST_S
        self._report.of("downloading", wanted, "")
        while True:
            self._await_end_of_quiet(wanted, go_on)
            try:
                return self._once(wanted, go_on)
            except _QuietHoursError:
                continue
            except DownloadError as error:
                reason = error.reason
            except OSError as error:
                reason = f"{self._store.root} cannot be written: {error.strerror or error}"
            except DownloadRefusedError as error:
                if error.subject != str(self._store.downloads):
                    raise RefusedError(str(error)) from error
                reason = str(error)  # no room: somebody may make some
            except VigieError as error:
                raise RefusedError(str(error)) from error
            self._report.of("downloading", wanted, f"{reason}; next attempt in {wait_s:.0f} s")
            _pause(wait_s, go_on)
            wait_s = min(RETRY_MAX_S, wait_s * 2)

    def _once(self, wanted: UpdateRequest, go_on: Callable[[], None]) -> StoredBundle:
        """Raises: DownloadError, OSError: later perhaps; other VigieErrors: never; _QuietHoursError."""

        def progressed(_: str) -> None:
            go_on()
            self._report.update(progress=self._store.share_there(wanted.release))

        def came(size: int) -> None:
            go_on()
            if self._is_quiet():
                raise _QuietHoursError
            self._pay_for(size, go_on)

        per_second = self._rules().bytes_per_second
        # A piece is paid for in half a second, so that a server does not take the pause for the end.
        piece = PIECE_BYTES if per_second is None else max(_PIECE_BYTES_MIN, min(PIECE_BYTES, per_second // 2))
        conduct = Conduct(progressed, lambda seconds: _pause(seconds, go_on), SILENT_S, came, piece)
        fetched = self._store.fetch(wanted.release, self._secret(wanted), conduct)
        go_on()
        self._report.of("verifying", wanted, "")
        try:
            return self._store.unpack(wanted.name, wanted.release, wanted.key, fetched)
        except VigieError:
            self._store.forget(fetched)
            raise

    def _pay_for(self, size: int, go_on: Callable[[], None]) -> None:
        now_s = time.monotonic()
        if (per_second := self._rules().bytes_per_second) != self._rate.per_second:
            self._rate.change(per_second, now_s)
        self._rate.sent(size, now_s)
        _pause(self._rate.wait_s(now_s), go_on)

    def _is_quiet(self) -> bool:
        wall_s = time.time()
        # With a clock that cannot be right there are no hours.
        return plausible(wall_s) and is_quiet(self._rules().quiet_hours, datetime.fromtimestamp(wall_s, UTC))

    def _await_end_of_quiet(self, wanted: UpdateRequest, go_on: Callable[[], None]) -> None:
        if wanted.release.source.startswith("file:") or not self._is_quiet():
            return
        hours = self._rules().quiet_hours
        until = "" if hours is None else f" until {hours.end} ({hours.time_zone})"
        self._report.of("downloading", wanted, f"waits for the end of $.downloads.quiet_hours{until}")
        while self._is_quiet():
            _pause(_LOOK_S, go_on)
        self._report.of("downloading", wanted, "")

    def _secret(self, wanted: UpdateRequest) -> str:
        """Raises: DownloadError: it is not there yet; RefusedError: it is not for this host."""
        name = wanted.release.secret
        if name is None:
            return ""
        host = urlsplit(wanted.release.source).hostname or ""
        try:
            return self._secrets.find(name, host).reveal()
        except SecretMissingError as error:
            raise DownloadError(wanted.release.source, str(error)) from error
        except SecretRefusedError as error:
            raise RefusedError(str(error)) from error


def _pause(seconds: float, go_on: Callable[[], None]) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        go_on()
        time.sleep(min(_LOOK_S, left_s))
