"""First use: makes the virtual environment, installs what the locks pin, then hands over to the command line.

Standard library only, and runs without site-packages: it starts before anything is installed. pip's own settings
(index, mirror, proxy, CA, offline folders) are in force, because pip reads them itself; nothing here names an index.
A failure is one sentence and exit code 3; everything pip said is in ``<environment>/vigie-install.log``.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parents[3]
# A source archive runs its own set-up program with this person's rights. One package was published as source only.
WHEELS_ONLY = ("--only-binary", ":all:", "--no-binary", "paho-mqtt")
RUN_LOCK = "requirements.lock"
TEST_LOCK = "tests/requirements.lock"
STAMP = "vigie-stamp-{}"
INSTALLING = "vigie-installing"
INSTALL_LOG = "vigie-install.log"
# In every environment that Vigie made: only such a one is cleared, and deleted by `vigie clean`.
MADE = "vigie-made"
EXIT_ENVIRONMENT = 3


class BootstrapError(Exception):
    """One sentence for people: what is wrong and what to do."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Make the environment if need be, then become ``python -m vigie_devkit`` in it.

    Help and a wrong command line need no environment, and stopping never waits for an installation.
    """
    answered = answer_without_environment(arguments)
    if answered is not None:
        raise SystemExit(answered)
    try:
        python = ensure_environment()
    except BootstrapError as error:
        print(f"vigie: {error}", file=sys.stderr)
        raise SystemExit(EXIT_ENVIRONMENT) from None
    except KeyboardInterrupt:
        print("\nvigie: stopped during the installation; the next start goes on with it", file=sys.stderr)
        raise SystemExit(EXIT_ENVIRONMENT) from None
    # -I: somebody's PYTHONPATH or user packages must not change what the lock pins.
    os.execv(python, [str(python), "-I", "-m", "vigie_devkit", *arguments])  # noqa: S606  becomes it: no shell wanted


def answer_without_environment(arguments: Sequence[str]) -> int | None:
    """The exit code of what needs nothing installed; None for all else, and where an environment is ready anyway."""
    venv = environment_folder()
    if is_current(venv, with_tests=False):
        return None
    folders = [str(CHECKOUT / name) for name in ("devkit/src", "devkit/edgehub/src", "shared/src")]
    sys.path[:0] = folders
    try:
        # Only what the checkout itself holds and the standard library: a command whose parser needs more says so by
        # its ImportError, and is installed for first.
        without = importlib.import_module("vigie_devkit.without_environment")
        answer: int | None = without.answer(arguments)
    except ImportError:
        return None
    finally:
        for folder in folders:
            sys.path.remove(folder)
    return answer


def environment_folder() -> Path:
    """Where the virtual environment lies: ``VIGIE_VENV``, else ``.venv`` in the checkout."""
    wanted = os.environ.get("VIGIE_VENV")
    return Path(wanted).expanduser().absolute() if wanted else CHECKOUT / ".venv"


def ensure_environment(*, with_tests: bool = False) -> Path:
    """The environment's Python, after installing whatever the locks pin and the environment lacks.

    Args: with_tests: also what ``./vigie test`` and ``./vigie check`` need.
    Raises: BootstrapError: no venv module, no index in reach, a folder that cannot be written, ...
    """
    venv = environment_folder()
    if not is_current(venv, with_tests=with_tests):
        with locked(venv):
            # Somebody else may have finished it while this process waited for the lock.
            if not is_current(venv, with_tests=with_tests):
                _install(venv, with_tests=with_tests)
    return venv / "bin/python"


def is_made_here(venv: Path) -> bool:
    """True if Vigie made this environment, so that it may be deleted.

    Versions before the marker stamped what they installed into, also an environment that VIGIE_VENV named and somebody
    else had made: without the marker only the checkout's own counts.
    """
    return (venv / MADE).is_file() or (venv == CHECKOUT / ".venv" and (venv / STAMP.format("run")).is_file())


def is_current(venv: Path, *, with_tests: bool) -> bool:
    """True if the environment holds what the locks pin, was finished, and still has its Python."""
    layer = "test" if with_tests else "run"
    try:
        stamped = (venv / STAMP.format(layer)).read_text(encoding="ascii")
        return (
            stamped == fingerprint(venv, with_tests=with_tests)
            and (venv / "bin/python").exists()
            and not (venv / INSTALLING).exists()
            and _python_wanted(venv)
        )
    except OSError:
        return False


def fingerprint(venv: Path, *, with_tests: bool) -> str:
    """Hash of the locks, the local distributions' metadata, the environment's Python and the checkout's path."""
    digest = hashlib.sha256(str(CHECKOUT).encode())
    files = [CHECKOUT / RUN_LOCK, *(folder / "pyproject.toml" for folder in distributions()), venv / "pyvenv.cfg"]
    if with_tests:
        files.append(CHECKOUT / TEST_LOCK)
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    return digest.hexdigest()


def distributions() -> list[Path]:
    """Folders of the distributions that live in this checkout."""
    modules = sorted(path.parent for path in (CHECKOUT / "modules").glob("*/pyproject.toml"))
    within = sorted(path.parent for path in (CHECKOUT / "devkit").glob("*/pyproject.toml"))
    return [CHECKOUT / "shared", *within, CHECKOUT / "devkit", *modules]


def _python_wanted(venv: Path) -> bool:
    """False if ``VIGIE_PYTHON`` now names another Python version than the environment was made with."""
    if not os.environ.get("VIGIE_PYTHON") or sys.prefix == str(venv):
        return True
    match = re.search(r"^version\s*=\s*(\d+)\.(\d+)", (venv / "pyvenv.cfg").read_text(encoding="utf-8"), re.MULTILINE)
    return match is not None and (int(match[1]), int(match[2])) == sys.version_info[:2]


@contextmanager
def locked(venv: Path) -> Iterator[None]:
    """One installer at a time: a lock on the folder itself, which clearing the environment does not remove."""
    try:
        venv.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(venv, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BootstrapError(
            f"cannot write {venv} ({error.strerror}); make its folder writable, "
            f"or set VIGIE_VENV (and VIGIE_HOME for the state) to folders that are"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"vigie: another start is installing into {venv}; waiting for it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(venv: Path, *, with_tests: bool) -> None:
    started = time.monotonic()
    if _must_be_made(venv):
        print(f"vigie: first use: making a virtual environment in {venv}", file=sys.stderr, flush=True)
        _make(venv)
    python = venv / "bin/python"
    try:
        (venv / INSTALLING).touch()
        with (venv / INSTALL_LOG).open("w", encoding="utf-8") as log:
            lock = CHECKOUT / (TEST_LOCK if with_tests else RUN_LOCK)
            pinned = pinned_count(lock)
            what = "tests and checks need" if with_tests else "Vigie needs"
            print(f"vigie: installing what {what} into {venv} ({pinned} pinned packages)", file=sys.stderr)
            progress = InstallProgress(pinned)
            # --no-user: a user's pip configuration may say otherwise, which a virtual environment refuses.
            run_pip(python, ["install", "--no-user", "--require-hashes", *WHEELS_ONLY, "-r", str(lock)], log, progress)
            local = [argument for folder in distributions() for argument in ("--editable", str(folder))]
            run_pip(
                python,
                ["install", "--no-user", "--no-index", "--no-deps", "--no-build-isolation", *local],
                log,
                progress,
                PIP_REQUIRE_HASHES="0",  # a folder has no hash; what it builds with came by hash above
            )
            progress.finish()
        for layer in ("run", "test") if with_tests else ("run",):
            stamp = fingerprint(venv, with_tests=layer == "test")
            (venv / STAMP.format(layer)).write_text(stamp, encoding="ascii")
        (venv / INSTALLING).unlink()
    except OSError as error:
        raise BootstrapError(f"cannot write {venv} ({error.strerror}); free space or set VIGIE_VENV") from error
    print(f"vigie: installed in {time.monotonic() - started:.0f} s", file=sys.stderr)


def pinned_count(lock: Path) -> int:
    """How many packages a lock pins."""
    return sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if re.match(r"[\w.-]+==", line))


def _must_be_made(venv: Path) -> bool:
    """True for no environment, one whose installation was cut off, one without a Python, one of another Python.

    Raises: BootstrapError: the folder is somebody else's.
    """
    found = {path.name for path in venv.iterdir()} - {"lost+found"}
    ours = {MADE, INSTALLING, INSTALL_LOG, *(STAMP.format(layer) for layer in ("run", "test"))}
    if found and not found & ours and venv != CHECKOUT / ".venv":
        kind = "a virtual environment" if "pyvenv.cfg" in found else "things"
        raise BootstrapError(
            f"{venv} holds {kind} that Vigie did not make ({min(found)}); "
            f"set VIGIE_VENV to a folder that is empty or does not exist"
        )
    if "pyvenv.cfg" not in found:
        strange = sorted(found - ours - {"bin", "include", "lib", "lib64"})
        if strange:
            raise BootstrapError(
                f"{venv} holds other things ({strange[0]}) and is not a virtual environment; "
                f"set VIGIE_VENV to a folder that is empty or does not exist"
            )
        return True
    broken = INSTALLING in found or not (venv / "bin/python").exists() or not _has_pip(venv)
    return broken or not _python_wanted(venv)


def _has_pip(venv: Path) -> bool:
    return any(venv.glob("lib/python3*/site-packages/pip/__main__.py"))


def _make(venv: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise BootstrapError(
            f"this Python {version} ({sys.executable}) has no venv module; install it "
            f"(Debian, Ubuntu: apt install python{version}-venv) or name another Python: VIGIE_PYTHON=/path/to/python3"
        )
    # A Python inside our own environment cannot make that environment anew: ask the one it was made with.
    base = getattr(sys, "_base_executable", None) or sys.executable
    # Marked first: one that is cut off is ours, and made anew. `venv --clear` would remove the mark.
    (venv / MADE).touch()
    for path in venv.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name != "lost+found":
                shutil.rmtree(path)
        elif path.name not in {MADE, INSTALLING}:
            path.unlink()
    made = subprocess.run([base, "-I", "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        said = (made.stderr + made.stdout).strip().splitlines()
        if any("ensurepip" in line for line in said):
            raise BootstrapError(
                f"this Python {version} cannot make a virtual environment with pip in it; install its venv package "
                f"(Debian, Ubuntu: apt install python{version}-venv)"
            )
        raise BootstrapError(f"cannot make a virtual environment in {venv}: {said[-1] if said else 'no reason given'}")


# -- pip --------------------------------------------------------------------------------------------------------------


class InstallProgress:
    """What pip is doing, on stderr: one line in place on a terminal, a line every five seconds otherwise."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._live = sys.stderr.isatty()
        self._printed_at = time.monotonic()

    def line(self, said: str) -> None:
        """Take one line of pip's output."""
        match = re.match(
            r"\s*(Collecting|Downloading|Using cached|Installing collected packages|Obtaining) ?(\S*)", said
        )
        if not match:
            return
        verb, what = match[1], match[2].rpartition("/")[2]
        if verb == "Collecting":
            self._done = min(self._done + 1, self._total)
            self._show(f"{self._done}/{self._total}  {what.partition('==')[0]}")
        elif verb == "Downloading":
            size = re.search(r"\(.*\)", said)
            self._show(f"{self._done}/{self._total}  {what.partition('-')[0]} {size[0] if size else ''}")
        elif verb == "Installing collected packages":
            self._show("unpacking")
        elif verb == "Obtaining":
            self._show("this checkout")

    def _show(self, text: str) -> None:
        if self._live:
            print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._printed_at >= 5:
            self._printed_at = time.monotonic()
            print(f"vigie:   {text}", file=sys.stderr)

    def finish(self) -> None:
        """Leave the line clean."""
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def run_pip(python: Path, arguments: Sequence[str], log: object, progress: InstallProgress, **settings: str) -> None:
    """Run the environment's pip; its words go to the log and, as progress, to stderr.

    Raises: BootstrapError: one sentence about what pip met.
    """
    command = [str(python), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    command.insert(command.index("install") + 1, "--progress-bar=off")
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1", **settings},
    ) as process:
        assert process.stdout is not None  # noqa: S101  for the type checker: it was asked for above
        for line in process.stdout:
            said.append(line.rstrip())
            print(line, end="", file=log, flush=True)  # type: ignore[call-overload]  # an open text file
            progress.line(line)
    if process.returncode != 0:
        progress.finish()
        raise BootstrapError(f"{explain(said)}; all that pip said: {environment_folder() / INSTALL_LOG}")


# Most telling first: a name that does not resolve also ends in "no matching distribution".
_REASONS = {
    r"DO NOT MATCH THE HASHES|hash(es)? (are|is) missing": (
        "what the package index served does not match the hashes that the lock pins, and none of it was installed; "
        "ask who runs the index or mirror"
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSLCertVerification": (
        "the package index's certificate is not trusted here; give pip your CA "
        "(pip config set global.cert FILE, or PIP_CERT)"
    ),
    r"ProxyError|Tunnel connection failed|407 Proxy": (
        "the proxy that pip uses refused or did not answer; correct it (pip config list; HTTPS_PROXY)"
    ),
    r"No space left on device": "the disk is full",
    r"Read-only file system|Permission denied": "a folder cannot be written; make it writable or set VIGIE_VENV",
    r"401 Client Error|403 Client Error|User for ": (
        "the package index wants credentials; put them where pip looks (its index-url, keyring or .netrc)"
    ),
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|timed out|RemoteDisconnected"
    r"|from versions: none": (
        "no package index is in reach, and the first use needs one; connect to a network, or tell pip of a mirror or "
        "a folder of wheels (pip config set global.index-url URL; PIP_FIND_LINKS=FOLDER)"
    ),
}


def explain(said: Sequence[str]) -> str:
    """One sentence for what pip met. Args: said: the lines that pip wrote."""
    text = "\n".join(said)
    for pattern, sentence in _REASONS.items():
        if re.search(pattern, text):
            return sentence
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing:
        return (
            f"the package index has no {missing[1]} for this Python ({sys.version.split()[0]}) and CPU "
            f"({os.uname().machine}); use a Python it has wheels for: VIGIE_PYTHON=/path/to/python3"
        )
    errors = [line for line in said if line.lower().startswith("error")] or list(said[-1:]) or ["no reason given"]
    return f"pip could not install what the lock pins: {errors[-1]}"


if __name__ == "__main__":
    main(sys.argv[1:])
