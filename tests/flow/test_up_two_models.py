"""`up --model A --model B`: frames are seen by both, and a model that cannot serve ends the run with its reason."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from support import models
from support.product import VIGIE, Home
from support.releases import with_nan
from vigie_devkit.models.importer import import_model

SOURCE = "synthetic://conveyor?seed=5&fps=10&size=160x120"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    file = models.save(models.yolox(), tmp_path, "parts.onnx")
    return import_model(file, tmp_path / "parts", name="parts", labels=list(models.NAMES))


@pytest.mark.timeout(300)
def test_frames_are_seen_by_both_models_and_each_result_names_its_own(first: Path, tmp_path: Path) -> None:
    file = models.save(models.yolov8(), tmp_path, "people.onnx")
    other = import_model(file, tmp_path / "people", name="people", labels=list(models.NAMES))
    home = Home(tmp_path / "home")
    done = home.up(SOURCE, "--model", str(first), "--model", str(other), "--frames", "12", timeout_s=250)
    assert done.code == 0, done.stderr
    # A model beside may lose frames of its own where a machine does much else.
    assert set(done.summary["models"]) == {"parts-1", "people-1"}, done.stderr
    assert done.summary["models"]["parts-1"] == 12, done.stderr
    assert done.summary["frames_inferred"] == 12, "a frame counts once, however many models see it"
    seen = Counter((item["model"].partition("/")[0], item.get("beside", "")) for item in home.items())
    assert set(seen) == {("parts-1", ""), ("people-1", "people")}
    assert seen["parts-1", ""] == 12
    assert "people-1 " in done.stderr, "the status tells of both"


@pytest.mark.timeout(300)
def test_a_further_model_that_cannot_serve_ends_the_run_with_its_reason(first: Path, tmp_path: Path) -> None:
    broken = import_model(models.save(models.yolox(), tmp_path, "nan.onnx"), tmp_path / "nan", name="nan")
    with_nan(broken)
    home = Home(tmp_path / "home")
    done = home.up(SOURCE, "--model", str(first), "--model", str(broken), "--frames", "12", timeout_s=250)
    assert done.code == 5, done.stderr
    assert "inference refuses model nan: " in done.stderr
    assert "holds NaN or infinity" in done.stderr


def _limited_to(folder: Path, megabytes_left: int) -> list[str]:
    """A command before another one that then reads a container's memory limit, in a mount namespace of its own."""
    used = 400_000_000
    folder.mkdir()
    (folder / "memory.max").write_text(f"{used + megabytes_left * 1_000_000}\n", encoding="ascii")
    (folder / "memory.current").write_text(f"{used}\n", encoding="ascii")
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /sys/fs/cgroup && exec "$@"', str(folder)]


@pytest.mark.timeout(300)
def test_a_further_model_that_does_not_fit_into_the_containers_memory_is_refused_with_the_figures(
    first: Path, tmp_path: Path
) -> None:
    limited = _limited_to(tmp_path / "cgroup", 20)
    if subprocess.run([*limited, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make a mount namespace")
    home = Home(tmp_path / "home")
    words = ["up", SOURCE, "--model", str(first), "--model", str(first), "--frames", "12", "--json"]
    done = subprocess.run(
        [*limited, *VIGIE, *words], env=home.environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 5, done.stderr
    assert "inference refuses model parts-2: does not fit beside the models that serve: " in done.stderr
    assert "the container may take 20 MB more, the release needs some 64" in done.stderr
