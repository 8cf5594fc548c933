"""Which folders Vigie made: a marker file in each. Only marked folders are written to, and only they are deleted.

A name proves nothing: ``models/``, ``runs/`` and ``frames/`` stand in many projects, and VIGIE_HOME may point to one.
A folder is marked when Vigie makes it or finds it empty. Folders of versions before the marker are recognised by what
lies in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from vigie_devkit.local.errors import StateFolderError, StrangeFolderError

MARKER = ".made-by-vigie"
DEFAULT_HOME = ".vigie"
"""In the checkout; the one name that nobody else gives to a folder. What is in it is looked at part by part."""
_TEXT = "Vigie made this folder, and './vigie clean' deletes it.\n"
# What a file system puts into its own root: a volume that is mounted there is still empty.
_NOBODYS = frozenset({"lost+found"})
_SHOWN = 3


def claim_home(home: Path) -> None:
    """Make the state folder ours before anything is written to it.

    Raises: StrangeFolderError: it holds other things, and nothing of Vigie's. StateFolderError: not writable.
    """
    claim(home, known=lambda folder: folder.name == DEFAULT_HOME or any(is_ours(folder / part, part) for part in PARTS))


def claim_part(home: Path, part: str) -> Path:
    """``home/part``, made and marked as ours, the home too. Raises: StrangeFolderError, StateFolderError."""
    claim_home(home)
    claim(home / part, known=PARTS[part])
    return home / part


def claim(folder: Path, *, known: Callable[[Path], bool] = lambda _: False) -> None:
    """Mark ``folder``, which is made if it is missing.

    Args: known: True for a folder that a version before the marker made.
    Raises: StrangeFolderError: unmarked, not empty, not known. StateFolderError: not writable, not a folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One look: another start may be writing its marker and its first folders at this moment.
        found = {path.name for path in folder.iterdir()}
        if MARKER in found:
            return
        if found - _NOBODYS and not known(folder):
            raise StrangeFolderError(folder, sorted(found)[:_SHOWN])
        (folder / MARKER).write_text(_TEXT, encoding="utf-8")
    except OSError as error:
        raise StateFolderError(Path(error.filename or folder), error) from error


def is_ours(folder: Path, part: str) -> bool:
    """True if ``folder`` is marked, or is what an earlier version made as ``part``."""
    return folder.is_dir() and ((folder / MARKER).is_file() or PARTS[part](folder))


def remove_marker_if_alone(folder: Path) -> None:
    """Remove a marked folder that holds nothing else. Raises: OSError."""
    if [path.name for path in folder.iterdir()] == [MARKER]:
        (folder / MARKER).unlink()
        folder.rmdir()


# -- what versions before the marker left ------------------------------------------------------------------------------


def _runs(folder: Path) -> bool:
    return _all(folder, lambda run: (run / "lock").is_file() and {path.name for path in run.iterdir()} <= _OF_A_RUN)


_OF_A_RUN = {"lock", "run.json", "manifest.json", "hub", "modules", "page", "secrets", "logs"}


def _hub(folder: Path) -> bool:
    return (folder / "keys.json").is_file() and (folder / "ca").is_dir()


def _models(folder: Path) -> bool:
    return _all(
        folder,
        lambda model: (
            re.fullmatch(r"\.?[0-9a-f]{16}(\.\d+)?", model.name) is not None
            and (any(model.glob("card.yaml")) or any(model.glob("*/card.yaml")))
        ),
    )


def _bundles(folder: Path) -> bool:
    return _all(folder, lambda bundle: bundle.name.startswith(".") or (bundle / "card.yaml").is_file())


def _runtimes(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return "runtime-measurements.json" in names and all(
        name == "engines" or name.startswith((".runtime-", "runtime-")) for name in names
    )


def _wheels(folder: Path) -> bool:
    return _all(folder, lambda lock: re.fullmatch(r"\w+-[0-9a-f]{16}", lock.name) is not None)


def _frames(folder: Path) -> bool:
    return _all(folder, lambda run: re.fullmatch(r"vigie-[0-9a-f]{12}", run.name) is not None)


def _all(folder: Path, fits: Callable[[Path], bool]) -> bool:
    """True if ``folder`` holds folders only, at least one, and each one fits."""
    found = list(folder.iterdir())
    return bool(found) and all(path.is_dir() and not path.is_symlink() and fits(path) for path in found)


PARTS: dict[str, Callable[[Path], bool]] = {
    "runs": _runs,
    "hub": _hub,
    "models": _models,
    "bundles": _bundles,
    "downloads": lambda _: False,  # empty between downloads
    "quantizing": lambda _: False,  # no version before the marker had it
    "runtimes": _runtimes,
    "wheels": _wheels,
    "frames": _frames,
}
"""The folders in a home, each with the rule that recognises what versions before the marker made."""
