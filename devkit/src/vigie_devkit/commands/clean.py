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
from vigie_devkit.hub.shell.socket_folder import dead_folders, remove_dead_folder
from vigie_devkit.local.errors import Exit, NoRunError, StateFolderError
from vigie_devkit.local.hub_option import hub_is_alive, lone_hub_state
from vigie_devkit.local.paths import home_folder, is_running, known_runs, measurements_folder


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "clean",
        help="remove state, imported models, the local CA and the environment",
        description="Remove what Vigie made on this machine. Says what first, and asks.",
        epilog="examples:\n  ./vigie clean\n  ./vigie clean --yes --keep-environment",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        home_folder().rmdir()  # only if nothing else lies in it
    print("vigie: removed")
    return Exit.OK


def what_there_is(*, keep_environment: bool) -> list[tuple[Path, str]]:
    """Only what Vigie made by name: VIGIE_HOME and VIGIE_VENV may point to folders with other things in them."""
    home = home_folder()
    targets = [(run.frames, f"frames of run '{run.name}'") for run in known_runs()]
    targets += [
        (home / "runs", "state, logs, CA and upstream record of every run"),
        (lone_hub_state(), "state, CA and upstream record of the hub that ran alone"),
        (home / "models", "imported models"),
        (home / "downloads", "downloads under way"),
        (measurements_folder(), "what was measured of this machine's runtimes"),
        (home / "wheels", "packages for images"),
        (home / "frames", "frames"),
    ]
    venv = bootstrap.environment_folder()
    if not keep_environment and (venv / bootstrap.STAMP.format("run")).exists():
        targets.append((venv, "the Python environment; the next start installs it anew"))
    return [(path, meaning) for path, meaning in targets if path.exists()]


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
