"""Further models of `up`: names of their own, how many, and what is said of one that does not serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import models
from support.exposition import sample
from vigie_devkit.local.beside import BESIDE_MAX, Beside, awaited, beside, releases, require_serving
from vigie_devkit.local.errors import NoModelError, UsageError
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.models.importer import import_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return import_model(models.save(models.yolox(), folder), folder / "parts", name="parts", version="4")


def test_a_bundle_that_is_given_twice_has_another_name(bundle: Path) -> None:
    assert [one.name for one in beside(bundle, [bundle, bundle])] == ["parts-2", "parts-3"]
    with pytest.raises(UsageError, match="--model is given 7 times; 6 models can serve at once"):
        beside(bundle, [bundle] * (BESIDE_MAX + 1))


def test_each_is_a_release_of_its_own_version_that_sees_every_frame_at_once(bundle: Path, tmp_path: Path) -> None:
    wanted = releases(beside(bundle, [bundle]), tmp_path / "releases")["parts-2"]
    assert wanted["version"] == "4"
    assert wanted["source"] == (tmp_path / "releases/parts-2.zip").as_uri()
    assert wanted["size"] == (tmp_path / "releases/parts-2.zip").stat().st_size
    assert wanted["beside"] is True
    assert "cameras" not in wanted


def test_the_cameras_wait_until_each_serves() -> None:
    models = [Beside("people", Path("/x"))]
    tally = MetricTotals()
    assert awaited(models, tally) == ["model people does not serve yet: asked for"]
    for phase, waits in (("warming", True), ("committed", False)):
        tally.add("inference", 1, [sample("vigie_model_update_info", 1, phase=phase, seat="people")])
        assert bool(awaited(models, tally)) == waits
    # The main model's own update is another matter.
    tally.add("inference", 1, [sample("vigie_model_update_info", 1, phase="committed")])
    assert awaited(models, tally)


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        (
            {"models_state": {"people": {"update": {"phase": "rejected", "reason": "is not signed"}}}},
            "inference refuses model people: is not signed",
        ),
        ({"models": {"ac": 400, "ad": "$.models.people: no"}}, "inference refuses the further models: "),
    ],
)
def test_one_that_is_refused_ends_the_run_with_the_reason(reported: dict[str, object], said: str) -> None:
    with pytest.raises(NoModelError, match=said):
        require_serving([Beside("people", Path("/x"))], reported)
    require_serving([], reported)
