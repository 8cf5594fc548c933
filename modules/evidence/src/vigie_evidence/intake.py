"""Takes chosen files from the camera module's folder into the spool, for every target that wants them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.contracts.evidence import EvidenceFacts
from vigie.drop_reason import DropReason
from vigie.errors import SealedError
from vigie.log import OncePer, get_logger
from vigie.sealing import BrokenSealError
from vigie.service import Service
from vigie_evidence.accounts import Accounts
from vigie_evidence.blob_path import blob_path
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.content import DamagedError
from vigie_evidence.inbox import Inbox
from vigie_evidence.registry import entries, is_wanted
from vigie_evidence.spool import Item, Spool, rank_of
from vigie_evidence.upload_metrics import UploadMetrics
from vigie_evidence.workers import Workers

log = get_logger("evidence.intake")

_LOOK_S = 0.5
_SAMPLES = "samples"


class SpoolIntake:
    """One thread: also drops what has waited too long, and shows metrics."""

    def __init__(
        self,
        service: Service[EvidenceConfig],
        inbox: Inbox,
        *,
        spool: Spool,
        accounts: Accounts,
        workers: Workers,
        metrics: UploadMetrics,
    ) -> None:
        self._service, self._inbox, self._spool, self._accounts = service, inbox, spool, accounts
        self._workers, self._metrics = workers, metrics
        self._taken_file = service.env.state / "taken.json"
        self._taken = _read_names(self._taken_file)
        self._config = EvidenceConfig()
        self._configured = threading.Event()
        self._quiet = OncePer()
        # Chosen files that need a key that is not here, and what to do; keys are read at start alone.
        self._held: dict[str, str] = {}
        self._told: dict[str, object] = {}

    def configure(self, config: EvidenceConfig) -> None:
        self._config = config
        self._configured.set()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("evidence.intake", 120.0)
        while not stop.is_set() and not self._configured.wait(_LOOK_S):
            alive.beat()
        self._tell(0, "")
        while not stop.is_set():
            alive.beat()
            self._look(alive.beat)
            self._expire()
            self._accounts.save()
            shown = {path: 0 for path, _ in entries(self._config)}
            for one in self._spool.all():
                shown[one.item.target] = shown.get(one.item.target, 0) + (not one.item.uploaded)
            self._metrics.show(shown, self._spool.used_bytes)
            stop.wait(_LOOK_S)
        self._accounts.save(at_once=True)

    def _look(self, beat: Callable[[], None]) -> None:
        if not (self._config.azure or self._config.folders):
            # Nobody takes any: what the camera module still has then goes to the first target.
            return
        try:
            names = self._inbox.names()
            self._recover(names)
            for name in self._held.keys() - set(names):
                del self._held[name]
            new = [name for name in names if name not in self._taken and name not in self._held]
            for name in new:
                beat()
                try:
                    facts = self._inbox.facts(name)
                    if facts is None or self._take(facts):
                        self._taken.add(name)
                except SealedError as error:
                    # It stays with the camera module, and is taken by the next start that has its key.
                    self._held[name] = f"evidence stays in the camera module's folder: {error}"
            self._tell(len(self._held), next(reversed(self._held.values()), ""))
            gone = self._taken - set(names)
            if gone or new:
                self._taken -= gone
                write_atomically(self._taken_file, msgspec.json.encode(sorted(self._taken)))
        except OSError as error:
            reason = f"{error.filename or self._spool.folder}: {error.strerror or error}"
            if self._quiet.ready("disk") is not None:
                log.warning("evidence_not_taken", reason=reason)
            self._service.health.note("spool", f"evidence stays in the camera module's folder: {reason}")
        else:
            self._service.health.note("spool", "")

    def _recover(self, names: list[str]) -> None:
        """What was damaged in the spool is taken again, if the camera module still has it.

        A target that has it already finds that out.
        """
        for lost in self._spool.take_lost():
            if lost.name in names:
                log.warning("evidence_taken_again", name=lost.name, reason=lost.reason)
                self._taken.discard(lost.name)
            else:
                log.error("evidence_damaged", name=lost.name, reason=lost.reason)
                self._metrics.dropped(DropReason.DAMAGED, lost.camera or "unknown")

    def _take(self, facts: EvidenceFacts) -> bool:
        """Whether it is done with.

        Raises: OSError: no room now, or the folder cannot be read. SealedError: its key is not here.
        """
        items = []
        for path, settings in entries(self._config):
            if is_wanted(settings.wanted, facts) and not self._spool.holds(facts.name, path):
                try:
                    blob = blob_path(_template(settings.path, facts), facts, self._service.env.device_id)
                except ValueError as error:
                    log.warning("evidence_refused", target=path, name=facts.name, reason=str(error))
                    self._metrics.dropped(DropReason.REFUSED, facts.camera)
                    continue
                items.append(Item(facts=facts, target=path, blob=blob, age_ms=self._accounts.now_ms()))
        if not items:
            return True
        needed = facts.bytes * len(items)
        dropped = self._spool.make_room(needed, self._config.spool_bytes, rank_of(facts), self._workers.busy())
        if dropped is None:
            log.warning("evidence_dropped", name=facts.name, reason="spool_full", bytes=facts.bytes)
            self._metrics.dropped(DropReason.SPOOL_FULL, facts.camera)
            return True
        for camera, count in dropped.items():
            log.warning("evidence_dropped", camera=camera, files=count, reason="spool_full")
            self._metrics.dropped(DropReason.SPOOL_FULL, camera, count)
        try:
            self._spool.add(items, self._inbox.content(facts))
        except FileNotFoundError as error:
            if error.filename and os.fspath(error.filename).startswith(str(self._spool.folder)):
                raise
            # The camera module made room before we came.
            self._metrics.dropped(DropReason.GONE, facts.camera)
            return True
        except (DamagedError, BrokenSealError, ValueError) as error:
            log.warning("evidence_damaged", name=facts.name, reason=str(error))
            self._metrics.dropped(DropReason.DAMAGED, facts.camera)
            return True
        self._workers.wake()
        return True

    def _tell(self, held: int, reason: str) -> None:
        """How what waits lies on the disk, and how many chosen files need a key that is not here: in reported state."""
        told: dict[str, object] = {"at_rest": self._spool.at_rest, "held": held, "reason": reason[:500]}
        if told == self._told:
            return
        self._told = told
        if reason:
            log.error("evidence_sealed", files=held, reason=reason)
        self._service.twin.report_whole("spool", told)
        self._service.health.note("key", reason)

    def _expire(self) -> None:
        oldest_ms = self._accounts.now_ms() - self._config.ttl_hours * 3_600_000
        for one in self._spool.all():
            if one.item.age_ms < oldest_ms and not one.item.uploaded and one.stem not in self._workers.busy():
                log.warning("evidence_dropped", name=one.item.facts.name, reason="too_old")
                self._metrics.dropped(DropReason.TOO_OLD, one.item.facts.camera)
                self._spool.remove(one)


def _template(template: str, facts: EvidenceFacts) -> str:
    """Samples lie in a folder of their own, whose shape `vigie.contracts.samples` gives."""
    return f"{_SAMPLES}/{{device}}/{{date}}/{{name}}.{{ext}}" if facts.kind == "sample" else template


def _read_names(path: Path) -> set[str]:
    """What was taken before; damaged: nothing, and the target then finds what it has."""
    try:
        return set(msgspec.json.decode(path.read_bytes(), type=list[str]))
    except (OSError, ValueError, msgspec.MsgspecError):
        return set()
