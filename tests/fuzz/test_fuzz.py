"""Nearly valid input for every parser that faces others: it answers or refuses in its own words, and soon.

    VIGIE_FUZZ_SECONDS=3600 ./vigie test -m fuzz tests/fuzz        an hour for all parsers together; default 45 s
    VIGIE_FUZZ_SEED=7 ./vigie test -m fuzz tests/fuzz -k archives  other inputs, one parser

The same seed gives the same inputs in the same order. A long run goes round the parsers several times, so that one
that is stopped early has tried all of them. What fails is shrunk to the fewest edits and printed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from fuzz.parsers.requests import Requests
from fuzz.registry import Target, all_targets
from support.engines import needs
from support.mutation import Draft

TARGETS = all_targets()
pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("VIGIE_FUZZ_SECONDS", "45"))
SEED = int(os.environ.get("VIGIE_FUZZ_SEED", "1"))
# CPU seconds for one input; the largest honest one (an ONNX file) takes some hundredths.
CPU_S_MAX = 3.0
# A parser's turn: long enough that making its seeds, or starting its hub, is the smaller part of it.
ROUNDS = max(1, int(SECONDS / len(TARGETS) / 10))
TURNS = [(target, number) for number in range(ROUNDS) for target in TARGETS]
# The schema of .tflite files comes with LiteRT.
MARKS = {"tflite_files": needs("litert")}


@pytest.mark.parametrize(
    ("target", "number"),
    [
        pytest.param(
            target,
            number,
            id=f"{target.name}-{number}" if number else target.name,
            marks=[MARKS[target.name]] if target.name in MARKS else [],
        )
        for target, number in TURNS
    ],
)
def test_a_parser_answers_or_refuses_in_its_own_words(
    target: Target, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = time.monotonic() + SECONDS / len(TURNS)
    inputs, call = target.open(tmp_path)
    random, tried = Random(f"{SEED} {target.name}" + (f" {number}" if number else "")), 0

    def wrong(data: bytes) -> Exception | None:
        begun = time.process_time()
        try:
            call(data)
        except Exception as error:
            return error
        took = time.process_time() - begun
        return AssertionError(f"{took:.1f} CPU seconds") if took > CPU_S_MAX else None

    passing = 0
    try:
        for seed in range(inputs.count):
            call(inputs.build(Draft(seed, seed)))  # what is imported at first use is not the input's time
        while tried < 50 or time.monotonic() < ends:
            draft = inputs.draw(random)
            tried += 1
            if wrong(inputs.build(draft)) is not None:
                if wrong(inputs.build(draft)) is None:
                    passing += 1  # a busy machine, not the input
                    continue
                smallest = inputs.build(inputs.shrunk(draft, lambda data: wrong(data) is not None))
                error = wrong(smallest)
                assert error is not None, "it failed once and not again"
                error.add_note(f"{target.name}: seed {SEED}, turn {number}, input {tried}: {smallest[:4000]!r}")
                raise error
    finally:
        if isinstance(call, Requests):
            call.close()
    with capsys.disabled():
        once = f", {passing} failed once and not again" if passing else ""
        print(f"\nfuzz: {target.name}: {tried} inputs, seed {SEED}, turn {number}{once}")
