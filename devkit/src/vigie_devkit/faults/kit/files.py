"""Files that are damaged while their owner is away: bits flipped, cut to nothing, or replaced by garbage."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vigie.runtimes.choosing.decision_cache import CachedDecision, DecisionCache
from vigie_devkit.faults.fault import Fault, Put, makes_put
from vigie_devkit.faults.signs import AnswersAgain, LogLine, LogText, Sign
from vigie_devkit.faults.system import FaultError, System
from vigie_devkit.faults.watched import FLOW

_PEERS = "edgeHub: a damaged RocksDB keeps it from starting until somebody removes it"


@makes_put
def damaging(system: System, owner: str, pattern: str, how: str) -> Iterator[None]:
    """``owner`` is killed, its files that match ``pattern`` (under the run's folder) are damaged, and it starts."""
    dice = random.Random(system.seed)  # noqa: S311 - the same damage for the same seed
    with system.nobody_restarts():
        system.signal(owner, signal.SIGKILL)
        time.sleep(0.3)
        files = [path for path in system.run.folder.glob(pattern) if path.is_file()]
        if not files:
            raise FaultError(f"there is no file {pattern} to damage")
        for path in files:
            damage(path, how, dice)
    yield


def damage(path: Path, how: str, dice: random.Random) -> None:
    """``flip``: a bit per 4 KiB; ``empty``: no byte left; ``cut``: without its last half; ``garbage``: other bytes."""
    size = path.stat().st_size
    if how == "empty":
        os.truncate(path, 0)
    elif how == "cut":
        os.truncate(path, size // 2)
    elif how == "garbage":
        path.write_bytes(dice.randbytes(max(64, min(size, 4096))))
    else:
        content = bytearray(path.read_bytes())
        for _ in range(max(1, size // 4096)):
            if content:
                content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)


@contextmanager
def _endpoint_file_lost(system: System) -> Iterator[None]:
    """What `up` and people find a module by: no part of the flow."""
    for name in ("preprocess", "sync"):
        with suppress(OSError):
            (system.run.module(name) / "http.json").write_bytes(b"\xff garbage")
    yield
    for name in ("preprocess", "sync"):
        system.signal(name, signal.SIGKILL)


@contextmanager
def _measurements_damaged(system: System) -> Iterator[None]:
    """What earlier starts of inference measured of the engines: without it, it measures again."""
    cache = DecisionCache(system.run.home / "runtimes")
    with system.nobody_restarts():
        system.signal("inference", signal.SIGKILL)
        time.sleep(0.3)
        if not cache.path.exists():
            cache.save(CachedDecision("of-another-machine", "parts", "2026-01-01T00:00:00+00:00", ()))
        damage(cache.path, "cut", random.Random(system.seed))  # noqa: S311 - the same damage for the same seed
    yield


@contextmanager
def _authority_damaged(system: System) -> Iterator[None]:
    """The hub refuses to make another CA in place of one that devices trust; a person removes its folder, as told."""
    folder = system.run.hub / "ca"
    with system.nobody_restarts():
        system.signal("hub", signal.SIGKILL)
        time.sleep(0.3)
        for name in ("ca.pem", "ca.key"):
            damage(folder / name, "garbage", random.Random(system.seed))  # noqa: S311 - as above
    try:
        yield
    finally:
        shutil.rmtree(folder)


def file_faults() -> list[Fault]:
    def fault(
        name: str, what: str, put: Put[System], *signs: Sign, new_ledger: bool = False, peers: str = "none"
    ) -> Fault:
        return Fault(name=name, what=what, put=put, back_within_s=40.0, signs=signs, new_ledger=new_ledger, peers=peers)

    ledger, doubt = "modules/sync/*ledger*", LogLine("sync", "ledger_set_aside")
    # A hub that lost what it knew of its clients takes their messages and may deliver none to them.
    heard = [AnswersAgain(module) for module in FLOW]
    ignored = {name: LogLine(name, "last_good_twin_ignored") for name in ("preprocess", "inference", "sync")}
    return [
        fault("ledger-flipped", "bits of sync's ledger are flipped", damaging("sync", ledger, "flip"), doubt,
              new_ledger=True, peers=_PEERS),
        fault("ledger-empty", "sync's ledger is cut to nothing", damaging("sync", ledger, "empty"),
              new_ledger=True, peers=_PEERS),
        *(
            fault(f"twin-copy-{name}", f"{name}'s copy of its last twin is garbage",
                  damaging(name, f"modules/{name}/*twin*", "garbage"), ignored[name])
            for name in ("preprocess", "inference", "sync")
        ),
        fault("state-garbage", "every JSON file of inference's state is garbage",
              damaging("inference", "modules/inference/*.json", "garbage")),
        fault("cache-cut", "what inference has measured of its engines is cut in half", _measurements_damaged,
              LogLine("inference", "runtime_measurements_ignored")),
        fault("audit-garbage", "sync's audit log is cut in half", damaging("sync", "modules/sync/audit/*", "cut"),
              LogLine("sync", "audit_recovered")),
        fault("hub-twins-garbage", "the hub's twins are cut in half", damaging("hub", "hub/twins/*.json", "cut"),
              *heard, peers=_PEERS),
        fault("hub-store-cut", "the hub's message store is cut in half", damaging("hub", "hub/messages/*", "cut"),
              *heard, peers=_PEERS),
        fault("hub-sessions-garbage", "the hub's sessions are garbage", damaging("hub", "hub/*session*", "garbage"),
              *heard, peers=_PEERS),
        Fault(name="hub-ca-garbage", what="the hub's CA and its key are garbage; after 15 s a person removes them",
              put=_authority_damaged, hold_s=15.0, back_within_s=60.0, signs=(LogText("hub", "is damaged"), *heard)),
        fault("endpoint-file-garbage", "the files by which modules are found are garbage", _endpoint_file_lost),
    ]  # fmt: skip
