"""One target's thread: takes what waits in order, within hours, budget and rate, until the target has it."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from vigie.drop_reason import DropReason
from vigie.errors import SealedError
from vigie.health import Watchdog
from vigie.ledger.age_clock import plausible
from vigie.log import OncePer, get_logger
from vigie.transfers import Rate, is_quiet
from vigie_evidence.accounts import Accounts
from vigie_evidence.config import UploadSettings
from vigie_evidence.content import DamagedError
from vigie_evidence.manifests import Manifests
from vigie_evidence.registry import Settings
from vigie_evidence.spool import Spool, SpoolEntry
from vigie_evidence.target import ContentRefusedError, StoppedError, Target, TargetAwayError, Upload, UploadReceipt
from vigie_evidence.upload_metrics import UploadMetrics

log = get_logger("evidence.upload")

State = Literal["idle", "uploading", "waiting", "held"]

_POLL_S = 0.5
_FIRST_RETRY_S = 1.0
# An answer that somebody has to put right is not asked for again and again.
_PATIENT_S = 30.0
_REFUSALS = 5
_LOOK_S = 0.25
# While pictures keep coming, their manifest follows now and then.
_MANIFEST_S = 60.0


def hold(sending: UploadSettings, spent_bytes: int, now: datetime | None) -> str | None:
    """Why nothing but evidence of alerts goes; None: it may go. ``now``: UTC; None: the clock cannot be right."""
    if now is None:
        return None
    if is_quiet(sending.quiet_hours, now):
        return "quiet_hours"
    if sending.bytes_per_day is not None and spent_bytes >= sending.bytes_per_day:
        return "bytes_per_day"
    return None


def day_of(now: datetime) -> str:
    """The UTC day that a budget is of."""
    return now.astimezone(UTC).date().isoformat()


class Worker:
    """``run`` is the body of its thread; the rest may be called from any."""

    def __init__(
        self,
        path: str,
        settings: Settings,
        target: Target,
        *,
        spool: Spool,
        accounts: Accounts,
        metrics: UploadMetrics,
        manifests: Manifests,
        told: Callable[[], None],
        uploaded: Callable[[SpoolEntry], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``told``: called when ``state`` or ``reason`` changed. ``uploaded``: the target has it."""
        self.path, self.settings = path, settings
        self.state: State = "idle"
        self.reason = ""
        self.uploads = 0
        self._newest: deque[tuple[str, str]] = deque(maxlen=64)
        self.busy: str | None = None
        self._target, self._spool, self._accounts, self._metrics = target, spool, accounts, metrics
        self._manifests = manifests
        self._manifest_s = 0.0
        self._told, self._uploaded, self._wall = told, uploaded, wall
        self._wake = threading.Event()
        self._ended = False
        self._adopted: tuple[Settings, Target] | None = None
        # What is on its way ends when settings change, too: it goes on where it was.
        self._stop_now = threading.Event()
        self._rate = Rate()
        self._refusals: Counter[str] = Counter()
        self._pause_s = _FIRST_RETRY_S
        self._retry_at_s = 0.0
        self._quiet = OncePer()

    def taken(self, name: str) -> str | None:
        """The address of evidence that was uploaded lately."""
        return dict(self._newest).get(name)

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    def adopt(self, settings: Settings, target: Target) -> None:
        """Go on with other settings, at once; what waits is kept."""
        self.settings, self._adopted = settings, (settings, target)
        self._stop_now.set()
        self._wake.set()

    def end(self) -> None:
        """The target left the twin."""
        self._ended = True
        self._stop_now.set()
        self._wake.set()

    def run(self, stop: threading.Event, alive: Watchdog) -> None:
        """Work until ``stop`` is set, or ``end``."""
        stopper = threading.Thread(target=self._follow, args=(stop,), name=f"{self.path}.stop", daemon=True)
        stopper.start()
        try:
            while not stop.is_set() and not self._ended:
                alive.beat()
                self._change()
                if not self._step(stop, alive):
                    self._wake.wait(_POLL_S)
                    self._wake.clear()
        finally:
            self._target.close()

    def _follow(self, stop: threading.Event) -> None:
        while not self._ended and not stop.wait(_LOOK_S):
            pass
        self._stop_now.set()
        self._wake.set()

    def _change(self) -> None:
        adopted, self._adopted = self._adopted, None
        if adopted is not None:
            self._target.close()
            self._target = adopted[1]
            self._retry_at_s, self._pause_s = 0.0, _FIRST_RETRY_S
            self._stop_now.clear()
            self._enter("idle")

    def _step(self, stop: threading.Event, alive: Watchdog) -> bool:
        """Whether there may be more to do at once."""
        waiting = [one for one in self._spool.all(self.path) if not one.item.uploaded]
        if time.monotonic() < self._retry_at_s:
            return False
        if (not waiting or time.monotonic() - self._manifest_s > _MANIFEST_S) and self._manifest():
            return True
        if not waiting:
            self._enter("idle")
            return False
        one = waiting[0]
        now = self._now()
        sending = self.settings.sending
        spent = self._accounts.spent(self.path, "" if now is None else day_of(now))
        if one.rank > 0 and (why := hold(sending, spent.bytes, now)) is not None:
            self._enter("held", why)
            return False
        self._rate.change(sending.bytes_per_second, time.monotonic())
        self._upload(one, stop, alive)
        return True

    def _manifest(self) -> bool:
        """Bring a manifest of samples up to date at the target; whether there was one."""
        try:
            due = self._manifests.due(self.path)
            if due is None:
                return False
            self._target.replace(due.blob, due.content, self._stop_now)
            self._manifests.sent(due)
        except StoppedError:
            return False
        except (TargetAwayError, ContentRefusedError) as error:
            self._away(str(error), getattr(error, "retry_s", None), patient=getattr(error, "patient", True))
        except SealedError as error:
            self._away(f"the manifest of samples: {error}", None, patient=True)
        except OSError as error:
            self._away(f"the manifest of samples: {error.strerror or error}", None, patient=True)
        self._manifest_s = time.monotonic()
        return True

    def _upload(self, one: SpoolEntry, stop: threading.Event, alive: Watchdog) -> None:
        begun = time.monotonic()
        self.busy = one.stem
        self._enter("uploading", keep_reason=True)

        try:
            taken = self._target.upload(
                Upload(
                    one.item.facts,
                    one.item.blob,
                    self._spool.content(one),
                    lambda size: self._moved(size, alive, at_once=one.rank == 0),
                    self._stop_now,
                )
            )
            if one.item.facts.sample is not None:
                self._manifests.add(self.path, one.item.blob, one.item.facts.sample)
            done = self._spool.uploaded(one, taken.url, verified=taken.verified)
        except StoppedError:
            self._ended = self._ended or stop.is_set()
        except ContentRefusedError as error:
            self._refuse(one, str(error))
        except DamagedError as error:
            # No other try makes it what was taken.
            log.error("evidence_damaged", target=self.path, blob=one.item.blob, reason=str(error))  # noqa: TRY400
            self._metrics.dropped(DropReason.DAMAGED, one.item.facts.camera)
            self._spool.remove(one)
        except TargetAwayError as error:
            self._away(str(error), error.retry_s, patient=error.patient)
        except SealedError as error:
            self._away(str(error), None, patient=True)
        except OSError as error:
            # The spool's own disk: it is at the target, and is compared there when there is room again.
            self._away(f"the spool cannot be written: {error.strerror or error}", None, patient=False)
        else:
            self._done(done, taken, time.monotonic() - begun)
        finally:
            self.busy = None

    def _done(self, one: SpoolEntry, taken: UploadReceipt, took_s: float) -> None:
        facts = one.item.facts
        self._newest.append((facts.name, taken.url))
        self.uploads += 1
        self._refusals.pop(one.stem, None)
        self._pause_s, self._retry_at_s = _FIRST_RETRY_S, 0.0
        self._metrics.uploaded(self.path, facts, took_s, taken.blocks_resumed)
        log.info(
            "evidence_uploaded", target=self.path, blob=one.item.blob, bytes=facts.bytes,
            resumed_blocks=taken.blocks_resumed, verified=taken.verified,
        )  # fmt: skip
        self._uploaded(one)

    def _moved(self, size: int, alive: Watchdog, *, at_once: bool) -> None:
        """So many bytes go now: wait until the rate lets them. Raises: StoppedError."""
        alive.beat()
        while not at_once and (wait_s := self._rate.wait_s(time.monotonic())) > 0:
            alive.beat()
            if self._stop_now.wait(min(wait_s, 1.0)):
                raise StoppedError
        self._rate.sent(size, time.monotonic())
        now = self._now()
        self._accounts.sent(self.path, "" if now is None else day_of(now), size)
        self._metrics.sent_bytes.labels(self.path).inc(size)

    def _away(self, reason: str, retry_s: float | None, *, patient: bool) -> None:
        longest = self.settings.sending.retry_seconds
        pause_s = min(longest, max(self._pause_s, min(_PATIENT_S, longest) if patient else 0.0))
        self._pause_s = min(longest, 2 * pause_s)
        self._retry_at_s = time.monotonic() + max(pause_s, retry_s or 0.0)
        self._metrics.failed.labels(self.path).inc()
        if self._quiet.ready(reason) is not None:
            log.warning("upload_waits", target=self.path, reason=reason, retry_s=round(pause_s, 1))
        self._enter("waiting", reason)

    def _refuse(self, one: SpoolEntry, reason: str) -> None:
        self._refusals[one.stem] += 1
        if self._refusals[one.stem] < _REFUSALS:
            self._away(reason, None, patient=False)
            return
        self._refusals.pop(one.stem)
        log.error("upload_refused", target=self.path, blob=one.item.blob, reason=reason)
        self._metrics.dropped(DropReason.REFUSED, one.item.facts.camera)
        self._spool.remove(one)
        self._retry_at_s = 0.0

    def _now(self) -> datetime | None:
        wall_s = self._wall()
        return datetime.fromtimestamp(wall_s, UTC) if plausible(wall_s) else None

    def _enter(self, state: State, reason: str = "", *, keep_reason: bool = False) -> None:
        reason = self.reason if keep_reason else reason
        changed = (state, reason) != (self.state, self.reason)
        shown = (state in {"idle", "uploading"}) != (self.state in {"idle", "uploading"}) or reason != self.reason
        self.state, self.reason = state, reason
        if changed and shown:
            self._told()
