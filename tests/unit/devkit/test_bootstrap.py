"""First use, without any network: what it makes, how it mends itself, and its sentences when it cannot."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import SmallCheckout
from vigie_devkit import bootstrap, engines


@pytest.fixture
def checkout(tmp_path: Path) -> SmallCheckout:
    return SmallCheckout(tmp_path / "check out")


def test_the_first_start_installs_the_second_does_not_and_a_broken_one_is_mended(checkout: SmallCheckout) -> None:
    code, output, errors = checkout.run("up", "--json", "a b")
    assert code == 0, errors
    said = json.loads(output)
    assert said["arguments"] == ["up", "--json", "a b"]
    assert said["version"] == "1.0"
    assert said["prefix"] == str(checkout.path / ".venv")
    assert "installing what Vigie needs" in errors

    code, output, errors = checkout.run("up")
    assert (code, errors) == (0, ""), "the second start must be silent"

    # Cut off in the middle: the marker is there, a package is half gone.
    (checkout.path / ".venv" / bootstrap.INSTALLING).touch()
    shutil.rmtree(next((checkout.path / ".venv").glob("lib/python3*/site-packages/vigie_devkit-1.0.dist-info")))
    code, output, errors = checkout.run("up")
    assert code == 0, errors
    assert json.loads(output)["version"] == "1.0"

    # A changed lock is installed anew; the checkout's other name too, because paths are part of what is installed.
    (checkout.path / "requirements.lock").write_text("# still nothing\n")
    assert "installing" in checkout.run("up")[2]
    moved = checkout.path.with_name("moved")
    checkout.path.rename(moved)
    checkout.path = moved
    code, output, errors = checkout.run("up")
    assert code == 0, errors
    assert json.loads(output)["prefix"] == str(moved / ".venv")


def test_two_first_starts_at_once_install_once(checkout: SmallCheckout) -> None:
    starts = [checkout.start("version") for _ in range(2)]
    said = [start.communicate(timeout=120) for start in starts]
    assert [start.returncode for start in starts] == [0, 0], said
    assert sum("installing what Vigie needs" in errors for _, errors in said) == 1


def test_without_an_index_in_reach_one_sentence_says_so(checkout: SmallCheckout) -> None:
    (checkout.path / "requirements.lock").write_text(f"nothing-like-it==1.0 --hash=sha256:{'0' * 64}\n")
    code, output, errors = checkout.run("up")
    assert (code, output) == (3, "")
    sentence = errors.splitlines()[-1]
    assert sentence.startswith("vigie: no package index is in reach, and the first use needs one; connect to a network")
    assert "Traceback" not in errors
    assert (checkout.path / ".venv" / bootstrap.INSTALL_LOG).read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(checkout: SmallCheckout) -> None:
    (checkout.path / "file").write_text("")
    code, output, errors = checkout.run("up", VIGIE_VENV=str(checkout.path / "file" / "venv"))
    assert (code, output) == (3, "")
    assert errors.startswith("vigie: cannot write ")
    assert "VIGIE_VENV" in errors
    assert len(errors.splitlines()) == 1


def test_a_folder_with_other_things_in_it_is_not_taken_for_an_environment(checkout: SmallCheckout) -> None:
    precious = checkout.path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    code, _, errors = checkout.run("up", VIGIE_VENV=str(precious))
    assert code == 3
    assert "holds things that Vigie did not make (thesis.txt)" in errors
    assert (precious / "thesis.txt").exists()


def test_an_environment_that_somebody_else_made_is_neither_used_nor_cleared_nor_deleted(
    checkout: SmallCheckout,
) -> None:
    theirs = checkout.path / "theirs"
    (theirs / "lib").mkdir(parents=True)
    (theirs / "lib/work.py").write_text("x")
    code, _, errors = checkout.run("up", VIGIE_VENV=str(theirs))
    assert (code, "did not make (lib)" in errors) == (3, True), errors
    (theirs / "pyvenv.cfg").write_text("home = /usr/bin\n")
    code, _, errors = checkout.run("up", VIGIE_VENV=str(theirs))
    assert (code, "holds a virtual environment that Vigie did not make" in errors) == (3, True), errors
    assert (theirs / "lib/work.py").read_text() == "x"
    (theirs / bootstrap.STAMP.format("run")).write_text("a version before the marker installed here")
    assert not bootstrap.is_made_here(theirs)

    ours = checkout.path / "ours"
    code, _, errors = checkout.run("up", VIGIE_VENV=str(ours))
    assert code == 0, errors
    assert bootstrap.is_made_here(ours)


def test_no_python_is_one_sentence(checkout: SmallCheckout, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "readlink", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    # A shim that is on the PATH and runs nothing, as version managers leave them.
    (tools / "python3").write_text("#!/bin/sh\necho 'no version is set' >&2\nexit 127\n")
    (tools / "python3").chmod(0o755)
    code, output, errors = checkout.run("up", PATH=str(tools))
    assert (code, output) == (3, "")
    assert errors.startswith("vigie: no Python 3.11 or newer found; install one")
    assert len(errors.splitlines()) == 1


def test_a_named_python_that_does_not_run_is_one_sentence(checkout: SmallCheckout) -> None:
    code, _, errors = checkout.run("up", VIGIE_PYTHON="/nowhere/python3")
    assert code == 3
    assert errors.startswith("vigie: VIGIE_PYTHON is '/nowhere/python3', which does not run as Python 3.11 or newer")


def test_a_python_without_its_venv_module_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = bootstrap.importlib.util.find_spec
    monkeypatch.setattr(
        bootstrap.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find_spec(name)
    )
    monkeypatch.setenv("VIGIE_VENV", str(tmp_path / "venv"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(bootstrap.BootstrapError, match=f"has no venv module.*apt install python{version}-venv"):
        bootstrap.ensure_environment()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("WARNING: Retrying ... NewConnectionError('...: [Errno -3] Temporary failure in name resolution')",
         "no package index is in reach"),
        ("ERROR: Could not find a version that satisfies the requirement x==1 (from versions: none)",
         "no package index is in reach"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "certificate is not trusted"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "the proxy that pip uses"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "does not match the hashes"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: No matching distribution found for onnxruntime==1.31.1", "index has no onnxruntime==1.31.1"),
        ("ERROR: 401 Client Error: Unauthorized for url: https://index", "wants credentials"),
        ("ERROR: something else", "pip could not install what the lock pins: ERROR: something else"),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_what_pip_met_becomes_one_sentence(said: str, sentence: str) -> None:
    explained = bootstrap.explain(said.splitlines())
    assert sentence in explained
    assert "\n" not in explained


def test_the_environment_folder_follows_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIE_VENV", raising=False)
    assert bootstrap.environment_folder() == bootstrap.CHECKOUT / ".venv"
    monkeypatch.setenv("VIGIE_VENV", "~/envs/vigie")
    assert bootstrap.environment_folder() == Path.home() / "envs/vigie"


@pytest.mark.parametrize(
    ("name", "machine", "glibc", "system", "why_not"),
    [
        ("qnn", "x86_64", "2.35", "linux", ""),
        ("qnn", "x86_64", "2.31", "linux", "qnn needs glibc 2.35, this is 2.31"),
        ("qnn", "x86_64", "", "linux", "qnn needs glibc 2.35, this is another libc"),
        ("qnn", "aarch64", "2.39", "linux", "qnn has no wheel for linux on aarch64"),
        ("openvino", "aarch64", "2.28", "linux", ""),
        ("webgpu", "aarch64", "2.36", "linux", "webgpu has no wheel for linux on aarch64"),
        ("openvino", "x86_64", "2.39", "darwin", "openvino has no wheel for darwin on x86_64"),
    ],
)
def test_an_engine_is_installed_only_where_it_has_a_wheel(
    name: str, machine: str, glibc: str, system: str, why_not: str
) -> None:
    assert engines.engine_has_no_wheel(name, machine, glibc, system) == why_not


def test_engines_are_a_layer_of_their_own_that_never_stops_the_tests(
    checkout: SmallCheckout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert checkout.run("up")[0] == 0
    venv = checkout.path / ".venv"
    monkeypatch.setattr(bootstrap, "CHECKOUT", checkout.path)
    for name, value in checkout.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(engines, "engine_has_no_wheel", lambda *_: "")
    assert engines.install_engines(venv) == {}, "a checkout without such locks has nothing to install"

    (checkout.path / "tests/engines-openvino.lock").write_text("# nothing is needed\n")
    (checkout.path / "tests/engines-qnn.lock").write_text(f"no-such-engine==1.0 --hash=sha256:{'0' * 64}\n")
    missing = engines.install_engines(venv)
    assert list(missing) == ["qnn"]
    assert "tests of qnn will skip: no package index is in reach" in capfd.readouterr().err

    # What is installed is not touched again, offline or not; what failed is tried anew.
    tried: list[str] = []
    monkeypatch.setattr(engines, "_install", lambda _venv, _environment, name, _lock: tried.append(name))
    engines.install_engines(venv)
    assert tried == ["qnn"]
    assert checkout.run("up")[2] == "", "`up` knows nothing of engines"
    assert not list(venv.glob("vigie-stamp-openvino"))
    python = engines.engines_python(venv)
    assert python.parent.parent == checkout.path / ".venv-engines"
    look = [python, "-I", "-c", "import vigie_devkit; print(vigie_devkit.__file__)"]
    seen = subprocess.run(look, capture_output=True, text=True, check=True)
    assert str(checkout.path) in seen.stdout, "it sees what the product's environment has"


@pytest.mark.parametrize(
    ("tests", "needed"),
    [
        ("tests/unit/ledger/test_ledger.py", []),
        ("tests/unit/hub", []),
        ("tests/unit/runtimes", []),
        ("tests/unit/inference", ["openvino"]),
        ("tests/contract/engines/test_engine_families.py", ["openvino", "qnn"]),
        ("tests", list(engines.ENGINES)),
    ],
)
def test_only_the_engines_that_the_chosen_tests_need_are_installed(tests: str, needed: list[str]) -> None:
    assert engines.engines_for([Path(__file__).parents[3] / tests]) == needed


def test_an_engine_that_stands_in_place_of_onnxruntime_has_an_environment_of_its_own(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    assert engines.engines_environment(venv, "qnn") == engines.engines_environment(venv) == tmp_path / ".venv-engines"
    assert engines.engines_environment(venv, "webgpu") == tmp_path / ".venv-engines-webgpu"
    assert engines.engines_python(venv, "webgpu") == venv / "bin/python", "not installed"


@pytest.mark.parametrize("name", ["oldest", "newest"])
def test_the_range_of_onnxruntime_differs_from_the_pinned_one_in_nothing_else(name: str) -> None:
    root = Path(__file__).parents[3]
    pinned, ranged = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (root / lock).read_text(encoding="utf-8"), flags=re.MULTILINE))
        for lock in ("requirements.lock", f"tests/engines-onnxruntime-{name}.lock")
    )
    assert ranged["onnxruntime"] != pinned["onnxruntime"]
    assert {key for key in ranged.keys() & pinned.keys() if ranged[key] != pinned[key]} == {"onnxruntime"}


def test_the_locks_of_engines_agree_with_the_others() -> None:
    """One environment holds them all: a package that two locks pin has one version."""
    root = Path(__file__).parents[3]
    pins: dict[str, str] = {}
    for lock in (
        "requirements.lock",
        "tests/requirements.lock",
        "tests/engines-openvino.lock",
        "tests/engines-qnn.lock",
        "tests/engines-webgpu.lock",
    ):
        for line in (root / lock).read_text(encoding="utf-8").splitlines():
            name, equals, rest = line.partition("==")
            if equals and not line.startswith(" "):
                assert pins.setdefault(name, rest.split()[0]) == rest.split()[0], f"{lock}: {name}"
    assert {"openvino", "onnxruntime-qnn", "onnxruntime-webgpu"} <= set(pins)


def bare(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """`./vigie` of this checkout as on a fresh clone: an environment that is not there and must not be made."""
    environ = {**os.environ, "VIGIE_VENV": str(home / "never"), "VIGIE_HOME": str(home), "VIGIE_PYTHON": sys.executable}
    done = subprocess.run(
        [str(Path(__file__).parents[3] / "vigie"), *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not (home / "never").exists(), done.stderr
    return done


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--help"], 0, "commands:"),
        ([], 2, "commands:"),
        (["--version"], 0, "vigie 0.1.0"),
        (["version"], 0, "vigie 0.1.0"),
        (["up", "--help"], 0, "--frames"),
        (["twin", "set", "--help"], 0, "--wait"),
        (["upp"], 2, "command 'upp' does not exist; did you mean 'up'? see: ./vigie --help"),
        (["up", "--frame", "3"], 2, "up takes no '--frame'; did you mean --frames?"),
        (["up", "--seconds", "abc"], 2, "--seconds: expected a number above 0, got 'abc'"),
        (["down"], 0, "nothing is up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_needs_nothing_installed_is_answered_at_once(
    tmp_path: Path, words: list[str], code: int, text: str
) -> None:
    done = bare(*words, home=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert text in done.stdout + done.stderr


def test_stopping_does_not_wait_for_an_installation(tmp_path: Path) -> None:
    # An `up` as far as `down` can see: it holds the run's lock, stands in run.json and ends when asked to.
    script = (
        "import fcntl, json, os, pathlib, signal, sys\n"
        "run = pathlib.Path(sys.argv[1]) / 'runs/local'\n"
        "run.mkdir(parents=True)\n"
        "lock = open(run / 'lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "stat = pathlib.Path('/proc/self/stat').read_text().rpartition(')')[2].split()\n"
        "(run / 'run.json').write_text(json.dumps({'up': {'pid': os.getpid(), 'start_ticks': int(stat[19])}}))\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    up = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        assert up.stdout.readline() == "up\n"
        done = bare("down", home=tmp_path)
        assert (done.returncode, done.stdout) == (0, "vigie: run 'local' stopped\n"), done.stderr
        assert up.wait(10) != 0
    finally:
        up.kill()
