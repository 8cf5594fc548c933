"""Which release has which place, and what its seat sees of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from vigie.errors import ConfigRefusedError
from vigie_inference.config import InferenceConfig, ModelConfig, RuntimeConfig
from vigie_inference.seats.who_serves import check_seats, own_config, seated
from vigie_inference.update.release import Release, key_of
from vigie_inference.update.wish import request_of


def _release(**facts: Any) -> Release:
    return Release(version="1", source="https://m.example/x.zip", sha256="0" * 64, size=1, **facts)


def test_a_release_without_cameras_takes_the_main_models_place_and_the_others_have_seats() -> None:
    config = InferenceConfig(models={"gate": _release(cameras=["gate"]), "parts": _release()})
    check_seats(config)
    wanted = request_of(config)
    assert wanted is not None
    assert wanted.name == "parts"
    assert list(seated(config)) == ["gate"]


@pytest.mark.parametrize(
    ("models", "path", "reason"),
    [
        ({"a": _release(), "b": _release()}, "$.models.b.cameras", "'a' takes the main model's place"),
        (
            {"a": _release(cameras=["x", "y"]), "b": _release(cameras=["z", "y"])},
            "$.models.b.cameras[1]",
            "'y' is served by 'a' already",
        ),
    ],
)
def test_two_releases_for_one_place_are_refused(models: dict[str, Release], path: str, reason: str) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        check_seats(InferenceConfig(models=models))
    assert refused.value.path == path
    assert reason in refused.value.reason


def test_a_seat_sees_its_own_release_and_nothing_of_what_is_the_main_models() -> None:
    config = InferenceConfig(
        model=ModelConfig(name="parts"), score=0.7, iou=0.2, classes=["bolt"], threads=2,
        models={"gate": _release(cameras=["gate"]), "parts": _release()},
        runtime=RuntimeConfig(variant="int8", objective="latency"),
    )  # fmt: skip
    own = own_config(config, "gate")
    wanted = request_of(own)
    assert wanted is not None
    assert wanted.name == "gate"
    assert (own.model, own.score, own.iou, own.classes, own.runtime.variant) == (None, None, None, None, None)
    assert (own.threads, own.runtime.objective) == (2, "latency")


def test_where_a_release_serves_does_not_make_it_another_request() -> None:
    assert key_of("gate", _release(cameras=["gate"])) == key_of("gate", _release())
    # As it was before releases could name cameras: what was refused then is not tried again.
    assert key_of("gate", _release()) == "2a26abaabf94ceaf"
