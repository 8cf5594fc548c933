"""What `models quantize` says of how far it is."""

from __future__ import annotations

import pytest

from vigie_devkit.quantize.progress import Steps, step_costs
from vigie_devkit.quantize.recipes import A16W8, FP16, S8S8, U8S8_PAIRED


class Clock:
    """Seconds that pass when a test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_steps_are_counted_past_those_that_are_not_needed(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps([0.0] * 5)
    steps.begin("frames")
    steps.begin("int8-s8s8 for cpu-arm", skipped=1)
    steps.begin("times", last=True)
    said = capsys.readouterr()
    assert said.err == "step 1 of 5: frames\nstep 3 of 5: int8-s8s8 for cpu-arm\nstep 5 of 5: times\n"
    assert said.out == ""


def test_the_time_left_follows_from_what_the_steps_before_took(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    steps = Steps([0.0, 100.0, 400.0, 300.0, 10.0], clock)
    steps.begin("frames")
    clock.now_s += 500  # rendering them says nothing of the runs to come
    steps.begin("float")
    clock.now_s += 60
    steps.begin("int8")
    clock.now_s += 240
    steps.begin("fp16", skipped=0)
    clock.now_s += 100
    steps.begin("times", last=True)
    assert capsys.readouterr().err.splitlines() == [
        "step 1 of 5: frames",
        "step 2 of 5: float",
        "step 3 of 5: int8; about 7 min left",
        "step 4 of 5: fp16; about 3 min left",
        "step 5 of 5: times; less than a minute left",
    ]


def test_the_search_of_an_integer_recipe_costs_most_and_layers_are_ranked_once() -> None:
    costs = step_costs([U8S8_PAIRED, S8S8, A16W8, FP16], calibration=16, judged=64, layers=28, files_timed=20)
    frames, float_network, first, second, wide, half, _ = costs
    assert frames == 0
    assert first > second > wide > half == 64
    assert first > 4 * float_network
