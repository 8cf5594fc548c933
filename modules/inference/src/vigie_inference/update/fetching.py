"""From a request to a verified bundle in the store: what only needs time or room is tried again until it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from vigie.errors import DownloadError, DownloadRefusedError, SecretMissingError, SecretRefusedError, VigieError
from vigie.secrets import SecretStore
from vigie_inference.update.record import Held
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.store import Store
from vigie_inference.update.wish import RefusedError, Wanted

RETRY_FIRST_S, RETRY_MAX_S = 2.0, 300.0
_LOOK_S = 0.2


class Fetching:
    """Used by the thread of updates."""

    def __init__(self, store: Store, report: UpdateReport, secrets: SecretStore) -> None:
        self._store, self._report, self._secrets = store, report, secrets

    def held(self, wanted: Wanted, go_on: Callable[[], None]) -> Held:
        """The bundle. ``go_on`` is called often and raises to end it.

        Raises: RefusedError: it can never serve; what ``go_on`` raises.
        """
        wait_s = RETRY_FIRST_S
        self._report.of("downloading", wanted, "")
        while True:
            try:
                return self._once(wanted, go_on)
            except DownloadError as error:
                reason = error.reason
            except OSError as error:
                reason = f"{self._store.root} cannot be written: {error.strerror or error}"
            except DownloadRefusedError as error:
                if error.what != str(self._store.downloads):
                    raise RefusedError(str(error)) from error
                reason = str(error)  # no room: somebody may make some
            except VigieError as error:
                raise RefusedError(str(error)) from error
            self._report.of("downloading", wanted, f"{reason}; next attempt in {wait_s:.0f} s")
            _pause(wait_s, go_on)
            wait_s = min(RETRY_MAX_S, wait_s * 2)

    def _once(self, wanted: Wanted, go_on: Callable[[], None]) -> Held:
        """Raises: DownloadError, OSError: later perhaps; other VigieErrors: never."""

        def progressed(_: str) -> None:
            go_on()
            self._report.update(progress=self._store.share_there(wanted.release))

        fetched = self._store.fetch(
            wanted.release, self._secret(wanted), progressed, lambda seconds: _pause(seconds, go_on)
        )
        go_on()
        self._report.of("verifying", wanted, "")
        try:
            return self._store.unpack(wanted.name, wanted.release, wanted.key, fetched)
        except VigieError:
            self._store.forget(fetched)
            raise

    def _secret(self, wanted: Wanted) -> str:
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
