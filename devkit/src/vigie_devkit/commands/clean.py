"""``vigie clean``: removes what `up` and the installation made, after saying what that is."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from vigie_devkit import bootstrap
from vigie_devkit.local.errors import Exit, NoRunError, StateFolderError
from vigie_devkit.local.frame_folders import dead_frames, is_frame_folder
from vigie_devkit.local.hub_option import hub_is_alive, lone_hub_state
from vigie_devkit.local.ownership import is_ours, remove_marker_if_alone
from vigie_devkit.local.paths import frames_root, home_folder, is_running, known_runs
from vigie_edgehub.shell.socket_folder import dead_folders, remove_dead_folder

MEANINGS = {
    "runs": "state, logs, CA and upstream record of every run",
    "hub": "state, CA and upstream record of the hub that ran alone",
    "models": "imported models",
    "downloads": "downloads under way",
    "quantizing": "what an interrupted quantization had made",
    "runtimes": "what was measured of this machine's runtimes",
    "wheels": "packages for images",
    "frames": "frames",
}
"""What is deleted of the home, if Vigie made it. Bundles stay: they are a person's work."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "clean",
        help="remove state, imported models, the local CA and the environment",
        description="Remove what Vigie made on this machine. Says what first, and asks.",
        epilog="examples:\n  ./vigie clean\n  ./vigie clean --yes --keep-environment",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--keep-environment", action="store_true", help="keep .venv, so that the next start is quick")
    parser.set_defaults(handler=clean)


def clean(args: argparse.Namespace) -> int:
    living = [run.name for run in known_runs() if is_running(run)]
    if living:
        raise NoRunError(f"run '{living[0]}' is up; stop it first: ./vigie down --run {living[0]}")
    if hub_is_alive(lone_hub_state()):
        raise NoRunError(f"a hub is up in {lone_hub_state()}; stop it first (Ctrl-C where it runs)")
    targets = what_there_is(keep_environment=args.keep_environment)
    sockets = dead_folders()
    for path in what_stays():
        print(f"vigie: {path} stays: Vigie did not make it")
    if not targets and not sockets:
        print("vigie: nothing to remove")
        return Exit.OK
    print("vigie: this will be removed:")
    for path, meaning in [*targets, *((path, "sockets of a hub that was killed") for path in sockets)]:
        print(f"  {path}  ({meaning})")
    if not args.yes and not agreed():
        print("vigie: nothing was removed; to agree without being asked: ./vigie clean --yes")
        return Exit.USAGE
    for path, _ in targets:
        remove(path)
    for path in sockets:
        remove_dead_folder(path)
    with suppress(OSError):
        remove_marker_if_alone(home_folder())
    print("vigie: removed")
    return Exit.OK


def what_there_is(*, keep_environment: bool) -> list[tuple[Path, str]]:
    """Only what Vigie made: VIGIE_HOME and VIGIE_VENV may point to folders with other things of the same names."""
    home = home_folder()
    targets: list[tuple[Path, str]] = []
    if is_ours(home / "runs", "runs"):
        targets += [(run.frames, f"frames of run '{run.name}'") for run in known_runs() if is_frame_folder(run.frames)]
    others = set(dead_frames(frames_root())) - {path for path, _ in targets}
    targets += [(path, "frames of a run that was killed") for path in sorted(others)]
    targets += [(home / part, meaning) for part, meaning in MEANINGS.items() if is_ours(home / part, part)]
    venv = bootstrap.environment_folder()
    if not keep_environment and bootstrap.is_made_here(venv):
        targets.append((venv, "the Python environment; the next start installs it anew"))
    return targets


def what_stays() -> list[Path]:
    """Folders that have the names of ours and that Vigie did not make."""
    home = home_folder()
    return [home / part for part in MEANINGS if (home / part).is_dir() and not is_ours(home / part, part)]


def agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("remove? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def remove(path: Path) -> None:
    """Raises: StateFolderError."""
    try:
        if path.is_symlink():
            os.unlink(path)  # noqa: PTH108  the link, never what it points to
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise StateFolderError(path, error) from error
