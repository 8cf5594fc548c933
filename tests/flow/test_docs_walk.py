"""README and docs, walked as a reader would: each session of tests/docs_walk.txt in terminals of 80 and 200 columns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.docs_walk import Session, sessions, walk

LONG = os.environ.get("VIGIE_WALK") == "long"


@pytest.mark.timeout(1800 if LONG else 900)
@pytest.mark.parametrize("session", sessions("default") + (sessions("long") if LONG else []), ids=lambda one: one.name)
def test_every_command_of_the_pages_does_what_they_say(session: Session, tmp_path: Path) -> None:
    walk(session, tmp_path)
