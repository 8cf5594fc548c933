"""README and docs, walked as a reader would: each session of tests/docs_walk.txt in terminals of 80 and 200 columns.

VIGIE_WALK=long walks the sessions of that stage instead, VIGIE_WALK=clone the first ones in a real clone of the last
commit that installs what it needs, as a reader's does.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.docs_walk import WITHIN_S, Session, sessions, walk

STAGE = os.environ.get("VIGIE_WALK", "default")
# In a clone, on a machine with nothing but Python: what needs no module of the reader's own.
IN_A_CLONE = {"belt", "readme", "models"}
SESSIONS = {
    "long": sessions("long"),
    "clone": [one for one in sessions("default") if one.name in IN_A_CLONE],
}.get(STAGE, sessions("default"))


@pytest.mark.timeout(900 if STAGE == "default" else 4 * 3600)
@pytest.mark.parametrize("session", SESSIONS, ids=lambda one: one.name)
def test_every_command_of_the_pages_does_what_they_say(session: Session, tmp_path: Path) -> None:
    walk(session, tmp_path, cloned=STAGE == "clone", within_s=WITHIN_S if STAGE == "default" else 3600)
