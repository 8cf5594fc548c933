"""What is installed is named in THIRD_PARTY_NOTICES.md, with the version that is locked."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_locked_package_is_named_with_its_version() -> None:
    locked = set(
        re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    )
    noticed = set(
        re.findall(
            r"^\| ([a-z0-9._-]+) \| ([^ ]+) \|",
            (ROOT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert locked
    assert locked - noticed == set()
