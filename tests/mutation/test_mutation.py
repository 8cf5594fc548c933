"""Do the tests notice a change of the code they name? A seeded sample of mutants, each tried against its narrow tests.

Run it with ``./vigie test -m mutation tests/mutation``, about an hour on two cores; docs/benchmarks/mutation.md holds
the score and the survivors that change nothing. VIGIE_MUTATION names areas (``window,choose``), VIGIE_MUTATION_SEED
another seed, VIGIE_MUTATION_REPORT a file for every verdict as JSON lines.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mutation.areas import AREAS, ROOT, narrow_tests
from mutation.equivalent import EQUIVALENT
from mutation.sample import Place, place_of, sampled
from mutation.trial import PATIENCE, PATIENCE_MIN_S, Copy, Verdict
from support.vendor_env import vendor_python

pytestmark = [pytest.mark.mutation, pytest.mark.timeout(4 * 3600)]
HERE = Path(__file__).parent
SEED = os.environ.get("VIGIE_MUTATION_SEED", "19")
CHOSEN = [name for name in AREAS if name in os.environ.get("VIGIE_MUTATION", ",".join(AREAS)).split(",")]
FOUND_MIN = 0.85
AT_A_TIME = 2
FIELDS = ("path", "line", "column", "operator", "occurrence")


def cosmic_ray(verb: str, asked: Sequence[Any]) -> list[dict[str, Any]]:
    python = vendor_python(HERE / "cosmic-ray.txt", probe="import cosmic_ray.mutating")
    done = subprocess.run(
        [python, HERE / "processes/mutate.py", verb],
        input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def sample() -> dict[Place, str]:
    """The sampled places of the chosen areas with the changed sources."""
    mutants: dict[Place, str] = {}
    for name in CHOSEN:
        left = [place_of(found) for found in cosmic_ray("list", AREAS[name].files())]
        count, draw = AREAS[name].mutants, f"{SEED} {name}"
        while count and left:
            drawn = sampled(left, count, draw)
            asked = [{name: getattr(place, name) for name in FIELDS} for place in drawn]
            sources = {place_of(one): one["source"] for one in cosmic_ray("apply", asked)}
            # Some are not Python (the bare `*` of a signature counts as a product): others are drawn in their place.
            fit = {place: source for place, source in sources.items() if compiles(source)}
            mutants |= fit
            sites = {place.site for place in drawn}
            left = [place for place in left if place.site not in sites]
            count, draw = count - len(fit), f"{draw} again"
    return mutants


def compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def tried(mutants: dict[Place, str], folder: Path) -> dict[Place, Verdict]:
    """Every mutant's verdict, two at a time in copies of their own."""
    first, paths = Copy(folder / "first"), {place.path for place in mutants}
    tests = {path: narrow_tests(path) for path in paths}  # once: the checkout may change while its copies are tried
    took_s = {test: first.took_s(test) for test in sorted({test for path in paths for test in tests[path]})}
    limits = {path: PATIENCE * sum(took_s[test] for test in tests[path]) for path in paths}
    copies = queue.SimpleQueue[Copy]()
    copies.put(first)
    for number in range(1, AT_A_TIME):
        copies.put(Copy(folder / f"further-{number}"))
    report = os.environ.get("VIGIE_MUTATION_REPORT")
    lock = threading.Lock()

    def one(place: Place) -> Verdict:
        copy = copies.get()
        try:
            verdict = copy.trial(place.path, mutants[place], tests[place.path], max(PATIENCE_MIN_S, limits[place.path]))
        finally:
            copies.put(copy)
        line = {
            "where": f"{place.path}:{place.line}:{place.column}",
            "operator": place.operator,
            "change": changed(place, mutants[place]),
            "found_by": verdict.found_by,
            "took_s": round(verdict.took_s, 1),
        }
        if report:
            with lock, Path(report).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")
        return verdict

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return dict(zip(mutants, pool.map(one, mutants), strict=True))


def changed(place: Place, mutant: str) -> tuple[str, str]:
    """The changed line, before and after; a decorator that is removed leaves the line below it."""
    sources = (ROOT / place.path).read_text(encoding="utf-8"), mutant
    before, after = (source.splitlines()[place.line - 1].strip() for source in sources)
    return before, after


def test_of_a_sample_of_mutants_the_narrow_tests_find_at_least_85_percent(tmp_path: Path) -> None:
    mutants = sample()
    verdicts = tried(mutants, tmp_path)
    survivors = [place for place, verdict in verdicts.items() if not verdict.found_by]
    for name in CHOSEN:
        files = AREAS[name].files()
        mine = [place for place in verdicts if place.path in files]
        lived = [place for place in survivors if place.path in files]
        same = [place for place in lived if is_equivalent(place, mutants[place])]
        print(f"{name}: {len(mine) - len(lived)} of {len(mine)} found, {len(same)} of the survivors change nothing")
    for place in survivors:
        before, after = changed(place, mutants[place])
        note = "changes nothing: " if is_equivalent(place, mutants[place]) else ""
        print(f"{place.path}:{place.line}: {note}{before}  ->  {after}")
    assert len(verdicts) - len(survivors) >= FOUND_MIN * len(verdicts)


def is_equivalent(place: Place, mutant: str) -> bool:
    return (place.path, *changed(place, mutant)) in EQUIVALENT
