"""One mutant against the narrow tests of its file, in a copy of the checkout."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutation.areas import ROOT

SOURCES = [
    *("shared/src", "devkit/edgehub/src", "devkit/src"),
    *(f"modules/{name}/src" for name in ("camera", "preprocess", "inference", "sync", "viewer", "actions", "evidence")),
]
# A mutant may make a loop endless: it is found when its tests take this much longer than they do without it.
PATIENCE, PATIENCE_MIN_S = 4.0, 60.0
TESTS_FAILED, INTERRUPTED = 1, 2


@dataclass(frozen=True)
class Verdict:
    """``found_by``: the test that failed, or what else told; empty: the mutant survived. ``took_s``: seconds."""

    found_by: str
    took_s: float


class Copy:
    """A copy of the checkout's files in ``folder``, in which tests run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        ).stdout.decode().split("\0")  # fmt: skip
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def took_s(self, test: str) -> float:
        """How long the test file takes without a mutant. Raises: RuntimeError: it fails, or cannot be run."""
        verdict = self._run([test], limit_s=1200)
        if verdict.found_by:
            raise RuntimeError(f"without a mutant {verdict.found_by} fails")
        return verdict.took_s

    def trial(self, path: str, mutant: str, tests: Sequence[str], limit_s: float) -> Verdict:
        """Put ``mutant`` in the place of the source ``path`` and run ``tests``; the source is put back.

        Raises: RuntimeError: they could not be run.
        """
        place = self.folder / path
        before = place.read_bytes()
        # Compiled code is told from its source by size and second, and a mutant often has both.
        for compiled in (place.parent / "__pycache__").glob(f"{place.stem}.*.pyc"):
            compiled.unlink()
        place.write_text(mutant, encoding="utf-8")
        try:
            return self._run(tests, limit_s=limit_s, keep_compiled=False)
        finally:
            place.write_bytes(before)

    def _run(self, tests: Sequence[str], *, limit_s: float, keep_compiled: bool = True) -> Verdict:
        words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
        output = self.folder / "output.txt"
        process = SERVER.Process(target=_pytest, args=(self.folder, words, output, keep_compiled))
        began = time.monotonic()
        process.start()
        process.join(limit_s)
        ended = process.exitcode
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
        took_s = time.monotonic() - began
        if ended is None:
            return Verdict(f"more than {limit_s:.0f} s", took_s)
        if ended == 0:
            return Verdict("", took_s)
        text = output.read_text(encoding="utf-8", errors="replace")
        told = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", text, re.MULTILINE)
        if ended in {TESTS_FAILED, INTERRUPTED} and told:
            return Verdict(told[0], took_s)
        # A signal is the mutant's work. Anything else (no such file, nothing collected) is ours and says nothing of it.
        if ended >= 0 or keep_compiled:
            raise RuntimeError(f"pytest ended with {ended}:\n{text[-2000:]}")
        return Verdict(f"signal {-ended}", took_s)


# Most of a short run goes into starting Python and importing what the tests stand on: one server has done so, and each
# run is a fork of it that has yet to import anything of ours.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "pytest",
        "pytest_asyncio",
        "pytest_timeout",
        "xdist",
        "hypothesis",
        "numpy",
        "cv2",
        "msgspec",
        "aiohttp",
        "structlog",
    ]
)


def _pytest(folder: Path, words: list[str], output: Path, keep_compiled: bool) -> None:
    """Becomes one run of pytest in ``folder``, in a session of its own; what it prints goes to the file ``output``."""
    os.setsid()
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sources = [str(folder / source) for source in SOURCES]
    os.environ["PYTHONPATH"] = os.pathsep.join(sources)
    if not keep_compiled:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path[:] = [*sources, *(place for place in sys.path if not Path(place).is_relative_to(ROOT / "tests"))]
    os.chdir(folder)
    code = pytest.main(words)
    sys.stdout.flush()
    os._exit(int(code))
