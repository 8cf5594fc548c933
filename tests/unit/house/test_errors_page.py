"""docs/errors.md and the tree of errors say the same."""

from __future__ import annotations

import re
from pathlib import Path

import vigie.errors as tree
import vigie_edgehub.errors as hub

PAGE = (Path(__file__).parents[3] / "docs/errors.md").read_text(encoding="utf-8")


def public_errors() -> list[type[tree.VigieError]]:
    found = [tree.VigieError]
    for error in found:
        found.extend(
            sub for sub in error.__subclasses__() if sub.__module__.startswith(("vigie.errors.", hub.__name__))
        )
    return found


def slugs_on_the_page() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)`", PAGE, flags=re.MULTILINE)


def test_every_error_has_a_slug_of_its_own() -> None:
    slugs = [error.slug for error in dict.fromkeys(public_errors())]
    assert sorted(slugs) == sorted(set(slugs))


def test_every_error_has_a_line_and_every_line_an_error() -> None:
    assert sorted(slugs_on_the_page()) == sorted({error.slug for error in public_errors()})


def test_every_error_is_imported_from_one_place() -> None:
    assert sorted(tree.__all__) == sorted(
        {error.__name__ for error in public_errors() if error.__module__ != hub.__name__}
    )
