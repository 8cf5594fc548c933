"""Progress bars on stderr; on a pipe or in a log, one line when a step begins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Gives a function to call after each of ``total`` steps."""
    if not sys.stderr.isatty():
        print(f"{title} ({total})", file=sys.stderr, flush=True)  # noqa: T201  # progress is what this file is for
    with tqdm(total=total, desc=f"{title:28}", leave=True, disable=None, file=sys.stderr) as shown:

        def step() -> None:
            shown.update(1)

        yield step


class Steps:
    """Tells on stderr which step of how many begins; one that turns out not to be needed is passed over."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0

    def begin(self, title: str, *, skipped: int = 0, last: bool = False) -> None:
        """``skipped``: steps before this one that are not needed."""
        self._number = self._total if last else self._number + 1 + skipped
        print(f"step {self._number} of {self._total}: {title}", file=sys.stderr, flush=True)  # noqa: T201
