"""Where a local run keeps what it has: one home folder, a folder per named run, one frame folder in shared memory.

HOME = VIGIE_HOME, else .vigie in the checkout; it and each folder in it hold a marker, see `ownership`
  models/<sha256>/            imported bundles, shared by all runs
  runs/<name>/
    lock                      held while `up` lives
    run.json                  who runs, written by `up`
    manifest.json             the manifest as rendered for this run
    hub/                      state, CA and upstream record of the local hub; hub.json while it is ready
    modules/<module>/         VIGIE_STATE of each module
    page                      address of the viewer's page, 127.0.0.1:8710 or the next free port
    secrets/                  VIGIE_SECRETS, mode 0700
    releases/                 further models of this `up`, packed
    logs/<process>.log        rotated
/dev/shm/vigie-<hash>/        VIGIE_FRAMES (elsewhere where VIGIE_FRAMES says so)
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TypeVar

import vigie_devkit
from vigie_devkit.local.errors import NoRunError, RunNameError, StateFolderError
from vigie_devkit.local.frame_folders import claim_frames
from vigie_devkit.local.ownership import DEFAULT_HOME, claim_part

DEFAULT_RUN = "local"
CHECKOUT = Path(vigie_devkit.__file__).resolve().parents[3]
Said = TypeVar("Said")


class RunPaths:
    """The folders of one run. Reading them creates nothing."""

    def __init__(self, home: Path, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", name):
            raise RunNameError(name)
        self.home = home
        self.name = name
        self.folder = home / "runs" / name
        self.lock = self.folder / "lock"
        self.record = self.folder / "run.json"
        self.manifest = self.folder / "manifest.json"
        self.hub = self.folder / "hub"
        self.hub_json = self.hub / "hub.json"
        self.modules = self.folder / "modules"
        self.page = self.folder / "page"
        self.secrets = self.folder / "secrets"
        self.logs = self.folder / "logs"
        self.releases = self.folder / "releases"
        # Short and the same for every start of this run, so that the next start finds what a killed one left.
        digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]
        self.frames = frames_root() / f"vigie-{digest}"
        self._frames_lock: int | None = None

    def module(self, module: str) -> Path:
        return self.modules / module

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def make(self) -> None:
        """Create the folders; the one for frames is held until `let_go_of_frames`, or this process's end.

        Raises: StateFolderError: a folder cannot be written. StrangeFolderError: one is not Vigie's. FrameFolderError:
            the one for frames is another user's.
        """
        claim_part(self.home, "runs")
        claim_part(self.home, "runtimes")
        try:
            for folder in (self.folder, self.hub, self.modules, self.logs, self.releases):
                folder.mkdir(parents=True, exist_ok=True)
            self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateFolderError(Path(error.filename or self.folder), error) from error
        self.let_go_of_frames()
        self._frames_lock = claim_frames(self.frames)

    def let_go_of_frames(self) -> None:
        """Their folder is no longer this process's: nobody here uses it any more, or it is removed."""
        if self._frames_lock is not None:
            os.close(self._frames_lock)
            self._frames_lock = None


def home_folder() -> Path:
    """The folder of all state: ``VIGIE_HOME``, else ``.vigie`` in the checkout."""
    wanted = os.environ.get("VIGIE_HOME")
    return Path(wanted).expanduser().absolute() if wanted else CHECKOUT / DEFAULT_HOME


def measurements_folder() -> Path:
    """Where inference keeps what it measured. Outlives the run: a machine is measured once, not at every start."""
    return home_folder() / "runtimes"


def bundle_shelves() -> tuple[Path, Path]:
    """Folders whose subfolders are model bundles, by name: this machine's own, then those that ship."""
    return home_folder() / "bundles", CHECKOUT / "shared/models"


def frames_root() -> Path:
    """Where frame folders go: ``VIGIE_FRAMES``, else /dev/shm, else the state folder (a disk: slower, but it works)."""
    wanted = os.environ.get("VIGIE_FRAMES")
    if wanted:
        return Path(wanted).expanduser().absolute()
    shared_memory = Path("/dev/shm")  # noqa: S108  the kernel's shared memory, in a private folder of mode 0700
    return shared_memory if os.access(shared_memory, os.W_OK) else home_folder() / "frames"


def claim_run(name: str | None) -> tuple[RunPaths, int]:
    """Take a run for this process: ``name``, or the first free one of ``local``, ``local-2``, ``local-3``, ...

    Returns: the run and the descriptor that holds its lock; closing it (or dying) frees the run.
    Raises: StateFolderError, StrangeFolderError, RunNameError; NoRunError: ``name`` was asked for and is taken.
    """
    for candidate in [name] if name else [DEFAULT_RUN, *(f"{DEFAULT_RUN}-{n}" for n in range(2, 100))]:
        run = RunPaths(home_folder(), candidate)
        descriptor = try_lock(run)
        if descriptor is not None:
            os.utime(descriptor)  # when it was started last, for `known_runs`
            return run, descriptor
    raise NoRunError(f"run '{name or DEFAULT_RUN}' is in use; stop it (./vigie down --run {name or DEFAULT_RUN})")


def try_lock(run: RunPaths) -> int | None:
    """The descriptor that now holds the run's lock, None if a living process holds it.

    Raises: StateFolderError, StrangeFolderError.
    """
    claim_part(run.home, "runs")
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        # Not inheritable (Python's default): a child that outlived `up` would otherwise keep the run taken.
        descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateFolderError(run.folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_running(run: RunPaths) -> bool:
    """True while an `up` holds this run."""
    try:
        descriptor = os.open(run.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def known_runs() -> list[RunPaths]:
    """All runs that have a folder, the latest started first."""
    folders = [path for path in (home_folder() / "runs").glob("*") if (path / "lock").exists()]
    folders.sort(key=lambda path: (path / "lock").stat().st_mtime, reverse=True)
    return [RunPaths(home_folder(), path.name) for path in folders]


def add_run_option(parser: argparse.ArgumentParser) -> None:
    """``--run NAME``, the same for every command that looks at a run."""
    parser.add_argument("--run", metavar="NAME", help="name of the run (default: the one that runs, else the latest)")


def find_run(args: argparse.Namespace) -> RunPaths:
    """The run that ``args.run`` names, else the only one that runs, else the latest.

    Raises: NoRunError: there is none, or several run and none is named.
    """
    if getattr(args, "run", None):
        run = RunPaths(home_folder(), args.run)
        if not run.folder.exists():
            raise NoRunError(f"there is no run '{args.run}' in {home_folder() / 'runs'}; start one: ./vigie up")
        return run
    runs = known_runs()
    if not runs:
        raise NoRunError(f"nothing has run yet (state folder {home_folder()}); start with: ./vigie up")
    living = [run for run in runs if is_running(run)]
    if len(living) > 1:
        names = ", ".join(run.name for run in living)
        raise NoRunError(f"several runs are up ({names}); say which: --run NAME")
    return living[0] if living else runs[0]


def find_hub(args: argparse.Namespace) -> Path:
    """State folder of the hub of the run that `find_run` finds; ``hub.json`` lies there while the hub is up.

    Raises: NoRunError.
    """
    return find_run(args).hub


def hub_says(hub_json: Path, member: str, kind: type[Said]) -> Said | None:
    """What a hub's description of itself says of ``member``; None: nothing, or nothing of this ``kind``."""
    try:
        found = json.loads(hub_json.read_bytes()).get(member)
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, kind) else None
