"""Progress bars on stderr; on a pipe or in a log, one line when a step begins."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from vigie_devkit.quantize.clipping import METHODS
from vigie_devkit.quantize.recipes import Recipe


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Gives a function to call after each of ``total`` steps."""
    if not sys.stderr.isatty():
        print(f"{title} ({total})", file=sys.stderr, flush=True)  # noqa: T201  # progress is what this file is for
    with tqdm(total=total, desc=f"{title:28}", leave=True, disable=None, file=sys.stderr) as shown:

        def step() -> None:
            shown.update(1)

        yield step


def say(line: str) -> None:
    """A line on stderr beside the bars."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


class Steps:
    """Tells on stderr which step of how many begins and about how long the rest takes.

    A step that turns out not to be needed is passed over. What is left is estimated from what the steps before cost, so
    the first one has no estimate.
    """

    def __init__(self, costs: Sequence[float], clock: Callable[[], float] = time.monotonic) -> None:
        """``costs``: of each step, in any unit; a step of 0 says nothing of the others. ``clock``: seconds."""
        self._costs, self._clock = costs, clock
        self._number = 0
        self._done_cost = 0.0
        self._done_s = 0.0
        self._begun_s = clock()

    def begin(self, title: str, *, skipped: int = 0, last: bool = False) -> None:
        """``skipped``: steps before this one that are not needed."""
        self._finish()
        self._number = len(self._costs) if last else self._number + 1 + skipped
        print(f"step {self._number} of {len(self._costs)}: {title}{self._left()}", file=sys.stderr, flush=True)  # noqa: T201

    def _finish(self) -> None:
        now_s = self._clock()
        if self._number and self._costs[self._number - 1] > 0:
            self._done_cost += self._costs[self._number - 1]
            self._done_s += now_s - self._begun_s
        self._begun_s = now_s

    def _left(self) -> str:
        if not self._done_cost:
            return ""
        minutes = self._done_s / self._done_cost * sum(self._costs[self._number - 1 :]) / 60
        return "; less than a minute left" if minutes < 1 else f"; about {minutes:.0f} min left"


def step_costs(
    recipes: Sequence[Recipe], *, calibration: int, judged: int, layers: int, files_timed: int
) -> list[float]:
    """In runs of the float network: frames, the float network itself, a recipe each, timing.

    A run of the simulator costs about three: it rounds every tensor. ``files_timed``: child processes.
    """
    simulated, trials, methods, of_a_child = 3.0, 8, len(METHODS), 30.0
    costs = [0.0, 2.0 * calibration + judged]
    ranked = False
    for recipe in recipes:
        cost = float(judged)
        if recipe.is_integer and not recipe.dynamic:
            tried = calibration * (1 if recipe.activations == "u16" else methods)
            cost += simulated * (tried + trials * calibration)
            cost += 0.0 if ranked else simulated * 2 * layers
            ranked = True
        costs.append(cost)
    return [*costs, of_a_child * files_timed]
