"""Direct methods of the evidence module."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.evidence import EvidenceFacts
from vigie.errors import MethodRefusedError
from vigie.events.settings import Name
from vigie.ledger.spent import Spent
from vigie.log import get_logger
from vigie.messaging.methods import NoRequest
from vigie.service import Service
from vigie_evidence.accounts import Accounts
from vigie_evidence.config import EvidenceConfig
from vigie_evidence.spool import Item, Spool
from vigie_evidence.worker import Worker
from vigie_evidence.workers import Workers

log = get_logger("evidence")

# The smallest JPEG: one grey pixel.
_PIXEL = bytes.fromhex(
    "ffd8ffdb004300030202020202030202020303030304060404040404080606050609080a0a090809090a0c0f0c0a0b0e0b09090d110d0e0f10"
    "1011100a0c12131210130f101010ffc9000b080001000101011100ffcc000600101005ffda0008010100003f00d2cf20ffd9"
)
_POLL_S = 0.05


class TargetBacklog(msgspec.Struct, frozen=True):
    """What waits for one target. ``oldest_seconds``: None, nothing waits. ``sent_today_bytes``: of the UTC day."""

    state: str
    reason: str
    waiting: int
    bytes: int
    oldest_seconds: float | None
    uploaded: int
    sent_today_bytes: int


class GetBacklogReply(msgspec.Struct, frozen=True):
    """Every target of the twin, by its path. ``untold``: uploaded, and sync has not confirmed the event yet.

    ``without_target``: files for targets that left the twin; they go when a target of that name comes back, or by
    ``ttl_hours``. ``clock``: why hours and days cannot be told.
    """

    targets: dict[str, TargetBacklog]
    untold: int
    without_target: int
    spool_bytes: int
    clock: str | None


class SendTestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``send_test_file``: to which target, as ``azure.site``, and how long to wait for it."""

    target: str
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 20.0


class SendTestFileReply(msgspec.Struct, frozen=True):
    """A picture of one pixel is at ``url``, so many seconds after the request."""

    target: str
    url: str
    seconds: float


class EraseFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Request of ``erase``: what waits of one camera, or of all with ``everything``; blobs stay where they are."""

    camera: Name | None = None
    everything: bool = False


class EraseFilesReply(msgspec.Struct, frozen=True):
    """``files`` went. ``on_their_way``: are being uploaded, not erased."""

    files: int
    on_their_way: int


def offer_methods(service: Service[EvidenceConfig], spool: Spool, accounts: Accounts, workers: Workers) -> None:
    """Answer ``get_backlog``, ``send_test_file`` and ``erase``."""

    def get_backlog(_: NoRequest) -> GetBacklogReply:
        return _backlog(spool, accounts, workers)

    def send_test_file(request: SendTestFile) -> SendTestFileReply:
        found = {one.path: one for one in workers.all()}
        worker = found.get(request.target)
        if worker is None:
            there = ", ".join(sorted(found)) or "none"
            raise MethodRefusedError(404, f"no target '{request.target}'; there are: {there}")
        return _sent_test_file(service, spool, accounts, worker, request.timeout_s)

    def erase(request: EraseFiles) -> EraseFilesReply:
        if (request.camera is None) != request.everything:
            raise MethodRefusedError(400, "$.camera: expected a camera, or everything: true, and not both")
        wanted = [one for one in spool.all() if request.everything or one.item.facts.camera == request.camera]
        busy = workers.busy()
        gone = [one for one in wanted if one.stem not in busy]
        for one in gone:
            spool.remove(one)
        # Damaged ones may be about that camera too.
        log.info("erased", camera=request.camera, files=len(gone), damaged=spool.forget_damaged())
        return EraseFilesReply(len(gone), len(wanted) - len(gone))

    service.method("get_backlog", NoRequest, get_backlog)
    service.method("send_test_file", SendTestFile, send_test_file)
    service.method("erase", EraseFiles, erase)


def _sent_test_file(
    service: Service[EvidenceConfig], spool: Spool, accounts: Accounts, worker: Worker, timeout_s: float
) -> SendTestFileReply:
    begun, at = time.monotonic(), datetime.now(UTC)
    name = f"test-{service.env.boot}-{at:%Y%m%dT%H%M%S%f}"
    facts = EvidenceFacts(
        name=name, kind="snapshot", file=f"{name}.jpg", bytes=len(_PIXEL),
        sha256=hashlib.sha256(_PIXEL).hexdigest(), camera="test", at=at.isoformat().replace("+00:00", "Z"),
        frame_hw=(1, 1),
    )  # fmt: skip
    item = Item(
        facts=facts, target=worker.path, blob=f"test/{service.env.device_id}/{name}.jpg", age_ms=accounts.now_ms()
    )
    try:
        spool.add([item], [_PIXEL])
    except OSError as error:
        raise MethodRefusedError(503, f"the spool cannot be written: {error.strerror or error}") from error
    worker.wake()
    while time.monotonic() - begun < timeout_s:
        if (url := worker.taken(name)) is not None:
            return SendTestFileReply(worker.path, url, round(time.monotonic() - begun, 3))
        if not spool.holds(name, worker.path):
            raise MethodRefusedError(503, "the target refused it; the log says why")
        time.sleep(_POLL_S)
    for one in spool.all(worker.path):
        if one.item.facts.name == name and one.stem != worker.busy:
            spool.remove(one)
    raise MethodRefusedError(503, f"not taken within {timeout_s:g} s: {worker.reason or 'others wait before it'}")


def _backlog(spool: Spool, accounts: Accounts, workers: Workers) -> GetBacklogReply:
    now_ms, today = accounts.now_ms(), datetime.now(UTC).date().isoformat()
    targets, known = {}, set()
    for worker in workers.all():
        known.add(worker.path)
        waiting = [one for one in spool.all(worker.path) if not one.item.uploaded]
        oldest = min((one.item.age_ms for one in waiting), default=None)
        spent: Spent = accounts.spent(worker.path, today)
        targets[worker.path] = TargetBacklog(
            worker.state, worker.reason, len(waiting), sum(one.bytes for one in waiting),
            None if oldest is None else round((now_ms - oldest) / 1e3, 1), worker.uploads, spent.bytes,
        )  # fmt: skip
    all_now = spool.all()
    return GetBacklogReply(
        targets,
        sum(one.item.uploaded for one in all_now),
        sum(one.item.target not in known for one in all_now),
        spool.used_bytes,
        accounts.doubt(),
    )
