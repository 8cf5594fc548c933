"""All targets of the configuration: made, changed and ended as the twin says."""

from __future__ import annotations

import threading

from vigie.errors import ConfigRefusedError
from vigie.log import get_logger
from vigie.service import Service
from vigie_evidence.accounts import Accounts
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.manifests import Manifests
from vigie_evidence.registry import Settings, entries, make
from vigie_evidence.spool import Spool
from vigie_evidence.target import Surroundings, Target
from vigie_evidence.telling import Telling
from vigie_evidence.upload_metrics import UploadMetrics
from vigie_evidence.worker import Worker

log = get_logger("evidence")

# Above the longest request (``UploadSettings.timeout_seconds``).
_MOVES_S = 700.0


class Workers:
    """``configure`` is called on the twin's thread, the rest from any."""

    def __init__(
        self,
        service: Service[EvidenceConfig],
        around: Surroundings,
        spool: Spool,
        accounts: Accounts,
        *,
        telling: Telling,
        metrics: UploadMetrics,
    ) -> None:
        self._service, self._around, self._spool, self._accounts = service, around, spool, accounts
        self._telling, self._metrics = telling, metrics
        self._manifests = Manifests(service.env.state / "samples", service.env.seals)
        self._lock = threading.Lock()
        self._by_path: dict[str, Worker] = {}

    def all(self) -> list[Worker]:
        with self._lock:
            return list(self._by_path.values())

    def busy(self) -> frozenset[str]:
        """Stems that are being uploaded."""
        return frozenset(one.busy for one in self.all() if one.busy is not None)

    def wake(self) -> None:
        for one in self.all():
            one.wake()

    def configure(self, new: EvidenceConfig) -> None:
        """Raises: ConfigRefusedError: a target that cannot be made, by its path; nothing has changed then."""
        wanted = dict(entries(new))
        with self._lock:
            before = dict(self._by_path)
        made: dict[str, Target] = {
            path: self._made(path, settings)
            for path, settings in wanted.items()
            if path not in before or before[path].settings != settings
        }
        for path in before.keys() - wanted.keys():
            before[path].end()
            log.info("target_removed", target=path)
        after = {path: before[path] for path in before.keys() & wanted.keys()}
        for path, target in made.items():
            if path in after:
                after[path].adopt(wanted[path], target)
            else:
                after[path] = self._started(path, wanted[path], target)
        with self._lock:
            self._by_path = after
        self._report()

    def _made(self, path: str, settings: Settings) -> Target:
        try:
            return make(path, settings, self._around)
        except ConfigRefusedError as error:
            raise ConfigRefusedError(f"$.{path}.{error.path}", error.reason) from error

    def _started(self, path: str, settings: Settings, target: Target) -> Worker:
        worker = Worker(
            path, settings, target, spool=self._spool, accounts=self._accounts, metrics=self._metrics,
            manifests=self._manifests,
            told=self._report, uploaded=self._telling.wake,
        )  # fmt: skip
        alive = self._service.health.watch(f"evidence.{path}", _MOVES_S)

        def run(stop: threading.Event) -> None:
            try:
                worker.run(stop, alive)
            finally:
                self._service.health.forget(alive)

        self._service.thread(f"evidence.{path}", run)
        return worker

    def _report(self) -> None:
        """Into the twin: what each target does, and why it waits."""
        self._service.twin.report_whole(
            "targets", {one.path.replace(".", "_"): _shown(one.state, one.reason) for one in self.all()} or None
        )
        waiting = {one.path: one.reason for one in self.all() if one.state == "waiting"}
        self._service.health.note("targets", "; ".join(f"{path}: {reason}" for path, reason in waiting.items()))


def _shown(state: str, reason: str) -> dict[str, str]:
    return {"state": "ok", "reason": ""} if state in {"idle", "uploading"} else {"state": state, "reason": reason[:500]}
