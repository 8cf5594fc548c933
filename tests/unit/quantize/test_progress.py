"""What `models quantize` says of how far it is."""

from __future__ import annotations

import pytest

from vigie_devkit.quantize.progress import Steps


def test_steps_are_counted_past_those_that_are_not_needed(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps(5)
    steps.begin("frames")
    steps.begin("int8-s8s8 for cpu-arm", skipped=1)
    steps.begin("times", last=True)
    said = capsys.readouterr()
    assert said.err == "step 1 of 5: frames\nstep 3 of 5: int8-s8s8 for cpu-arm\nstep 5 of 5: times\n"
    assert said.out == ""
