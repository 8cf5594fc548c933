"""Which local hub a command speaks to: ``--run NAME``, ``--state DIR``, or the one that is there."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vigie_devkit.local.errors import NoRunError
from vigie_devkit.local.ownership import claim_part
from vigie_devkit.local.paths import add_run_option, find_hub, home_folder, hub_says, is_running, known_runs


def add_hub_options(parser: argparse.ArgumentParser) -> None:
    """``--run`` and ``--state``, the same for every command that speaks to a hub."""
    add_run_option(parser)
    parser.add_argument(
        "--state", metavar="DIR", type=Path, help="state folder of a hub that './vigie hub run' started there"
    )


def lone_hub_state() -> Path:
    """State folder of a hub that was started alone without ``--state``."""
    return home_folder() / "hub"


def claim_lone_hub_state() -> Path:
    """`lone_hub_state`, made and marked as Vigie's. Raises: StrangeFolderError, StateFolderError."""
    return claim_part(home_folder(), "hub")


def hub_state(args: argparse.Namespace) -> Path:
    """State folder of the hub that is meant: ``args.state``, else a hub that runs alone, else the run's.

    Raises: NoRunError: nothing is there, or several are and none was named.
    """
    if args.state is not None:
        return Path(args.state).expanduser().absolute()
    lone = lone_hub_state()
    if args.run is None and hub_is_alive(lone):
        if living := [run.name for run in known_runs() if is_running(run)]:
            raise NoRunError(
                f"a lone hub ({lone}) and a run ({', '.join(living)}) are up; say --state DIR or --run NAME"
            )
        return lone
    try:
        return find_hub(args)
    except NoRunError:
        if args.run is None and lone.exists():
            return lone
        raise


def hub_is_alive(state: Path) -> bool:
    """True while the process that hub.json names lives."""
    pid = hub_says(state / "hub.json", "pid", int)
    try:
        os.kill(pid or 0, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return bool(pid)
