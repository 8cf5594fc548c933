"""``vigie test``: the whole default suite, hub and flow tests included."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vigie_devkit import bootstrap, engines
from vigie_devkit.local.errors import Exit, LocalError
from vigie_devkit.local.paths import CHECKOUT

# A test of flow uses a fifth of a core while it runs.
WORKERS_PER_CORE = 3


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "test",
        help="run the tests",
        description="Install what the tests need (first use), then run them; words after `test` go to pytest.",
        epilog="examples:\n  ./vigie test\n  ./vigie test tests/unit/frames -x\n"
        "  VIGIE_TEST_DATA=FOLDER ./vigie test      with the real videos and models",
        prefix_chars="+",  # pytest's own options are not ours to read
        add_help=False,
    )
    parser.add_argument("words", nargs="*", metavar="PYTEST_ARGUMENT")
    parser.set_defaults(handler=test, takes_rest=True)


def test(args: argparse.Namespace) -> int:
    """Becomes pytest, whose exit code is then ours."""
    words = [*args.words, *args.rest]
    if words in (["--help"], ["-h"]):
        print("usage: vigie test [PYTEST_ARGUMENT ...]\n\nexamples:\n  ./vigie test\n  ./vigie test tests/unit -x")
        return Exit.OK
    refuse_missing(words)
    test_python()
    venv = bootstrap.environment_folder()
    needed = engines.engines_for(named(words) or [CHECKOUT / "tests"])
    engines.install_engines(venv, needed)
    python = str(engines.engines_python(venv) if needed else venv / "bin/python")
    os.chdir(CHECKOUT)
    words += workers(words, os.cpu_count() or 1)
    os.execv(python, [python, "-P", "-m", "pytest", *words])  # noqa: S606  becomes it: no shell wanted
    return Exit.NO_FLOW


def workers(words: Sequence[str], cores: int) -> list[str]:
    """What to add for pytest so that files run side by side: most tests wait for processes and time-outs.

    Nothing is added where the caller decides (``-n``, ``--dist``), needs the terminal (``--pdb``, ``-s``), selects by
    mark (containers share one engine), or names files only.
    Args: words: what the caller wrote. cores: of this machine.
    """
    mine = ("-n", "--numprocesses", "--dist", "--pdb", "--trace", "-s", "--capture=no", "-m", "--collect-only", "--co")
    if any(word in mine or word.startswith(("-n", "--numprocesses=", "--dist=", "-m")) for word in words):
        return []
    chosen = named(words)
    if chosen and not any(path.is_dir() for path in chosen):
        return []
    # xdist would begin with the files of the most tests: those of one test and many minutes would run last, with
    # nothing left to run beside them. In the order of names flow comes before unit, whose small files fill the end.
    return ["-n", str(WORKERS_PER_CORE * cores), "--dist", "loadfile", "--no-loadscope-reorder"]


class NoSuchTestError(LocalError):
    exit_code = Exit.USAGE


def refuse_missing(words: Sequence[str]) -> None:
    """Before anything is installed: pytest would say it after a minute, for a name that names nothing means all tests.

    Raises: NoSuchTestError.
    """
    for word in words:
        path = word.partition("::")[0]
        if path.startswith("tests/") and not (CHECKOUT / path).exists():
            same = sorted((CHECKOUT / "tests").rglob(Path(path).name))
            hint = f"; did you mean {same[0].relative_to(CHECKOUT)}?" if same else ""
            raise NoSuchTestError(f"there is no {path} in this checkout{hint}")


def named(words: Sequence[str]) -> list[Path]:
    """The files and folders of tests among the caller's words; none: all tests."""
    paths = (CHECKOUT / word.partition("::")[0] for word in words if word[:1] != "-")
    return [path for path in paths if path.exists()]


def test_python() -> str:
    """The Python of an environment that holds the test tools; installs them on first use.

    Raises: BootstrapError.
    """
    return str(bootstrap.ensure_environment(with_tests=True))
