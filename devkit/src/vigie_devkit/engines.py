"""The engines that tests run beside ONNX Runtime: in an environment of their own, laid over the product's.

What is installed decides what may serve, so the tests must not install into the environment that `up` runs in. The
second environment sees everything of the first and adds the engines; only `./vigie test` uses it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from vigie_devkit import bootstrap
from vigie_devkit.bootstrap import INSTALL_LOG, STAMP, BootstrapError, InstallProgress, locked, pinned_count, run_pip

# Each engine beside ONNX Runtime's CPU provider is a layer of its own, so that `up` stays lean and one that has no
# wheel here costs only its own tests: name -> machines, and the oldest glibc, that its wheels are for.
ENGINES: dict[str, tuple[tuple[str, ...], tuple[int, int]]] = {
    "openvino": (("x86_64", "aarch64"), (2, 28)),
    "qnn": (("x86_64",), (2, 35)),
    "litert": (("x86_64", "aarch64"), (2, 28)),
    "grpc": (("x86_64", "aarch64"), (2, 28)),
    "webgpu": (("x86_64",), (2, 28)),
    "loadgen": (("x86_64",), (2, 28)),
    "onnxruntime-oldest": (("x86_64", "aarch64"), (2, 28)),
    "onnxruntime-newest": (("x86_64", "aarch64"), (2, 28)),
}
# What stands in place of the pinned onnxruntime: beside it in one environment each would hide the other.
APART = frozenset({"webgpu", "onnxruntime-oldest", "onnxruntime-newest"})
ENGINE_LOCK = "tests/engines-{}.lock"
_NEEDS = re.compile(r"""\bneeds\(["']([a-z-]+)["']\)""")


def engines_environment(venv: Path, name: str = "") -> Path:
    """Where the engines go, or the engine ``name``: beside the product's environment, never in it."""
    return venv.with_name(f"{venv.name}-engines{f'-{name}' if name in APART else ''}")


def engines_python(venv: Path, name: str = "") -> Path:
    """The Python that has the engines, or the engine ``name``; the product's own where it could not be installed."""
    python = engines_environment(venv, name) / "bin/python"
    return python if python.exists() else venv / "bin/python"


def engines_for(tests: Iterable[Path]) -> list[str]:
    """The engines that tests in these files and folders say they need: ``needs("qnn")`` of ``support.engines``."""
    files = [file for path in tests for file in ([path] if path.is_file() else path.rglob("test_*.py"))]
    named = {name for file in files for name in _NEEDS.findall(file.read_text(encoding="utf-8"))}
    return [name for name in ENGINES if name in named]


def install_engines(venv: Path, names: Iterable[str] = ENGINES) -> dict[str, str]:
    """Install the engines ``names``; what is missing afterwards by name, with the reason. Never fails.

    An engine without a wheel for this machine is not tried; one that pip could not get is tried again next time.
    """
    missing: dict[str, str] = {}
    for name in names:
        environment = engines_environment(venv, name)
        lock = bootstrap.CHECKOUT / ENGINE_LOCK.format(name)
        if not lock.exists():
            continue
        why_not = engine_has_no_wheel(name, platform.machine(), platform.libc_ver()[1], sys.platform)
        try:
            if not why_not and not _is_current(environment, name):
                with locked(environment):
                    if not _is_current(environment, name):
                        _install(venv, environment, name, lock)
        except (BootstrapError, OSError) as error:
            why_not = str(error)
        if why_not:
            missing[name] = why_not
            print(f"vigie: tests of {name} will skip: {why_not}", file=sys.stderr)
    return missing


def engine_has_no_wheel(name: str, machine: str, glibc: str, system: str) -> str:
    """Why the engine cannot be installed here; empty if it can. Args: glibc: ``2.36``, empty if it is another libc."""
    machines, oldest = ENGINES[name]
    if system != "linux" or machine not in machines:
        return f"{name} has no wheel for {system} on {machine}"
    version = tuple(int(part) for part in re.findall(r"\d+", glibc)[:2])
    if version < oldest:
        return f"{name} needs glibc {oldest[0]}.{oldest[1]}, this is {glibc or 'another libc'}"
    return ""


def _is_current(environment: Path, name: str) -> bool:
    try:
        stamped = (environment / STAMP.format(name)).read_text(encoding="ascii")
        return stamped == _fingerprint(environment, name) and (environment / "bin/python").exists()
    except OSError:
        return False


def _fingerprint(environment: Path, name: str) -> str:
    lock = (bootstrap.CHECKOUT / ENGINE_LOCK.format(name)).read_bytes()
    return hashlib.sha256(lock + b"\0" + (environment / "pyvenv.cfg").read_bytes()).hexdigest()


def _install(venv: Path, environment: Path, name: str, lock: Path) -> None:
    print(f"vigie: installing {name} for its tests into {environment}", file=sys.stderr)
    if _must_be_made(venv, environment):
        _make(venv, environment)
    progress = InstallProgress(pinned_count(lock))
    with (environment / INSTALL_LOG).open("a", encoding="utf-8") as log:
        arguments = ["--python", str(environment / "bin/python"), "install", "--no-user", "--require-hashes"]
        run_pip(venv / "bin/python", [*arguments, "-r", str(lock)], log, progress)
    progress.finish()
    (environment / STAMP.format(name)).write_text(_fingerprint(environment, name), encoding="ascii")


def _must_be_made(venv: Path, environment: Path) -> bool:
    """True if it is missing, or was made with another Python than the product's."""
    try:
        return _base(venv) != _base(environment) or not (environment / "bin/python").exists()
    except OSError:
        return True


def _base(environment: Path) -> list[str]:
    lines = (environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(("home", "version"))]


def _make(venv: Path, environment: Path) -> None:
    """An environment without pip that sees all of the product's packages, those of this checkout among them."""
    base = subprocess.run(
        [venv / "bin/python", "-I", "-c", "import sys; print(sys._base_executable)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    made = subprocess.run(
        [base, "-I", "-m", "venv", "--clear", "--without-pip", str(environment)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise BootstrapError(f"cannot make {environment}: {(made.stderr or made.stdout).strip()[-200:]}")
    own = next(environment.glob("lib/python3*/site-packages"))
    (product,) = venv.glob("lib/python3*/site-packages")
    # addsitedir and not the bare path: the checkout's own distributions are .pth files in there.
    (own / "vigie-product.pth").write_text(f"import site; site.addsitedir({str(product)!r})\n", encoding="utf-8")
