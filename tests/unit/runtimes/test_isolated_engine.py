"""An engine in a process of its own: same answers, and no way of going wrong that reaches this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from support import models
from support.bad_engines import MARKER, variable
from vigie.errors import EngineDiedError, EngineError, EngineHungError, ImageShapeError, ProviderError
from vigie.models import Bundle, load_bundle
from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.engines.engine import EngineSettings, open_engine
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie_devkit.models.importer import import_model

pytestmark = pytest.mark.timeout(300)
HW = (64, 96)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle")
    return load_bundle(import_model(models.save(models.yolox(HW), folder), folder / "tiny", labels=list(models.NAMES)))


@pytest.fixture(scope="module")
def open_shaped(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """As many rows as the picture has."""
    folder = tmp_path_factory.mktemp("open")
    file = models.save(models.torchvision_ssd((64, 64)), folder)
    return load_bundle(import_model(file, folder / "open", labels=list(models.NAMES)))


def opened(bundle: Bundle, candidate: Candidate) -> IsolatedEngine:
    return IsolatedEngine.open(bundle, candidate, EngineSettings())


def bad(name: str) -> Candidate:
    return Candidate(name, name, "other", "fp32", 1)


def pictures(hw: tuple[int, int], count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (*hw, 3), np.uint8) for _ in range(count)]


def test_it_answers_to_the_bit_as_the_engine_in_this_process_does(bundle: Bundle) -> None:
    with opened(bundle, cpu_candidate("fp32", 1)) as apart, open_engine(bundle, cpu_candidate("fp32", 1)) as here:
        assert (apart.provider, apart.threads, apart.input_shape) == (here.provider, 1, here.input_shape)
        for tensor in pictures(HW):
            for one, two in zip(apart.run(tensor), here.run(tensor), strict=True):
                np.testing.assert_array_equal(one, two)
        assert apart.prove().verdict == here.prove().verdict
        assert apart.placement() == here.placement()


def test_outputs_whose_size_the_picture_decides_grow_and_shrink(open_shaped: Bundle) -> None:
    candidate = cpu_candidate(open_shaped.variants[0], 1)
    frames = [np.zeros((64, 64, 3), np.uint8) for _ in range(6)]
    for number, frame in enumerate(frames):
        frame[: 8 * number, :, number % 3] = 255
    with opened(open_shaped, candidate) as apart, open_engine(open_shaped, candidate) as here:
        sizes = set()
        for tensor in frames:
            one, two = apart.run(tensor), here.run(tensor)
            sizes.add(one[0].shape[0])
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(sizes) > 1, "every picture gave as many rows: nothing grew"


def test_a_tensor_of_another_shape_is_refused_before_it_is_sent(bundle: Bundle) -> None:
    with opened(bundle, cpu_candidate("fp32", 1)) as engine, pytest.raises(ImageShapeError):
        engine.run(np.zeros((8, 8, 3), np.uint8))


def test_a_crash_is_an_error_that_names_the_signal_and_the_last_words(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("crashing"))
    with opened(bundle, bad("crashing")) as engine, pytest.raises(EngineDiedError) as raised:
        engine.run(pictures(HW)[0])
    assert "SIGSEGV" in str(raised.value)
    assert "assertion failed in queue 3" in str(raised.value)


def test_a_hang_is_ended_within_the_limit_and_the_process_is_gone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("hanging"))
    with opened(bundle, bad("hanging")) as engine:
        engine.run_limit_s = 0.5
        with pytest.raises(EngineHungError, match=r"within 0\.5 s"):
            engine.run(pictures(HW)[0])
        assert is_gone(engine.pid)


def test_a_refusal_while_loading_keeps_its_kind_and_its_remedy(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("refusing"))
    with pytest.raises(ProviderError, match="install bad-driver 3"):
        opened(bundle, bad("refusing"))


def test_an_engine_that_fails_a_run_but_lives_answers_the_next(bundle: Bundle, tmp_path: Path) -> None:
    engine = tmp_path / "moody.py"
    engine.write_text(
        "from vigie.errors import EngineError\n"
        "from vigie.runtimes import cpu_candidate, open_engine\n"
        "def make(bundle, candidate, settings):\n"
        "    engine = open_engine(bundle, cpu_candidate('fp32', 1))\n"
        "    good, state = engine.run, {'runs': 0}\n"
        "    def run(tensor):\n"
        "        state['runs'] += 1\n"
        "        if state['runs'] == 1:\n"
        "            raise EngineError('tiny', 'queue full')\n"
        "        return good(tensor)\n"
        "    engine.run = run\n"
        "    return engine\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIGIE_ENGINES", f"moody={engine}:make")
        with opened(bundle, bad("moody")) as apart:
            with pytest.raises(EngineError, match="queue full"):
                apart.run(pictures(HW)[0])
            assert len(apart.run(pictures(HW)[0])) == 1


def test_closing_ends_the_process(bundle: Bundle) -> None:
    engine = opened(bundle, cpu_candidate("fp32", 1))
    engine.close()
    assert is_gone(engine.pid)
    engine.close()


def test_the_child_ends_with_its_parent_even_while_it_hangs(bundle: Bundle, tmp_path: Path) -> None:
    script = (
        "import sys, threading, numpy as np\n"
        "from vigie.models import load_bundle\n"
        "from vigie.runtimes.candidate import Candidate\n"
        "from vigie.runtimes.engines.engine import EngineSettings\n"
        "from vigie.runtimes.engines.isolated_engine import IsolatedEngine\n"
        "bundle = load_bundle(sys.argv[1])\n"
        "engine = IsolatedEngine.open(bundle, Candidate('hanging', 'hanging', 'other', 'fp32', 1), EngineSettings())\n"
        "print(engine.pid, flush=True)\n"
        "engine.run_limit_s = 600\n"
        "engine.run(np.zeros(engine.input_shape[1:], np.uint8))\n"
    )
    environment = {**os.environ, "VIGIE_ENGINES": variable("hanging"), MARKER: str(tmp_path / "now")}
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(bundle.folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while not is_gone(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_gone(child)


def is_gone(pid: int) -> bool:
    """No such process, or one that only waits to be reaped by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
