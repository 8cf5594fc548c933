"""A module gets a user of its own on a device whose volumes belong to the user that all modules had, and goes back."""

from __future__ import annotations

import json

import pytest

from support.users import as_user, needs_root, volume
from vigie.audit.chain import verify
from vigie.audit.journal import log_files, read_head

FORMER, OWN = 1250, 1254
PRIVATE, OF_THE_GROUP = 0o077, 0o007
IMPORTS = """
import json, sqlite3, sys
from pathlib import Path
from vigie.audit.journal import Journal
from vigie.audit.record import method_entry
from vigie.ledger.ledger import Ledger
from vigie.ledger.rows import LedgerDamagedError, LedgerEntry
from vigie.open_state import main
"""
RECORD = """
ledger = Ledger(Path({file!r}))
ledger.record([LedgerEntry({key!r}, 'dock', b'{{"seq": 1}}')], 1 << 30)
print(json.dumps([ledger.backlog().items, ledger.id]))
ledger.close()
"""


@pytest.fixture(autouse=True)
def _root() -> None:
    needs_root()


def test_a_kept_ledger_is_taken_over_whole_and_the_way_back_stays_open() -> None:
    with volume(FORMER) as state:
        file = str(state / "ledger.db")

        def record(user: int, key: str, mask: int) -> list[object]:
            said: list[object] = json.loads(as_user(user, IMPORTS, RECORD.format(file=file, key=key), mask=mask))
            return said

        before = record(FORMER, "a", PRIVATE)
        as_user(FORMER, IMPORTS, f"sys.exit(main(['--once', {str(state)!r}]))")
        after = record(OWN, "b", OF_THE_GROUP)
        back = record(FORMER, "c", PRIVATE)
        again = record(OWN, "d", OF_THE_GROUP)
        assert [before[0], after[0], back[0], again[0]] == [1, 2, 3, 4]
        assert {one[1] for one in (before, after, back, again)} == {before[1]}, "another ledger was begun"


def test_a_ledger_that_is_still_closed_is_neither_replaced_nor_set_aside_nor_touched() -> None:
    with volume(FORMER) as state:
        file = state / "ledger.db"
        as_user(FORMER, IMPORTS, RECORD.format(file=str(file), key="a"))
        for mode in (0o755, 0o770):  # a folder that Docker made; one that is open and the files in it not yet
            state.chmod(mode)
            kept = {path.name: path.read_bytes() for path in state.iterdir()}
            said = as_user(
                OWN,
                IMPORTS,
                f"""
try:
    Ledger(Path({str(file)!r}))
except (OSError, sqlite3.OperationalError) as error:
    print("waits:", error)
""",
                mask=OF_THE_GROUP,
            )
            assert said.startswith("waits:")
            assert {path.name: path.read_bytes() for path in state.iterdir()} == kept


def test_an_audit_log_goes_on_under_the_new_user_with_its_chain() -> None:
    with volume(FORMER) as state:
        folder = state / "audit"
        append = f"""
journal = Journal(Path({str(folder)!r}), module="sync", boot="0000000a")
assert journal.append(method_entry("erase", {{}}, 200, {{}}))
print(journal.head.n)
"""
        assert as_user(FORMER, IMPORTS, append, mask=PRIVATE) == "1"
        as_user(FORMER, IMPORTS, f"sys.exit(main(['--once', {str(state)!r}]))")
        assert as_user(OWN, IMPORTS, append, mask=OF_THE_GROUP) == "2"
        assert as_user(FORMER, IMPORTS, append, mask=PRIVATE) == "3"
        lines = [(name, (folder / name).read_bytes()) for name in log_files(folder)]
        assert verify(lines, read_head(folder)).breaks == ()


def test_what_is_in_a_folder_is_opened_before_the_folder_and_links_lead_nowhere() -> None:
    with volume(FORMER, 0o700) as state:
        code = f"""
folder = Path({str(state)!r})
(folder / "inner").mkdir(); (folder / "inner" / "twin.json").write_text("{{}}")
(folder / "link").symlink_to("/etc/passwd")
assert main(["--once", str(folder)]) == 0
print(oct((folder / "inner" / "twin.json").stat().st_mode & 0o777), oct((folder / "inner").stat().st_mode & 0o777))
"""
        said = as_user(FORMER, IMPORTS, code).splitlines()
        assert said[-1] == "0o660 0o770"
        assert json.loads(said[0])["modes"] == 3


def test_a_folder_of_another_user_is_left_alone_and_said() -> None:
    with volume(4711, 0o700) as state:
        code = f"print(main(['--once', {str(state)!r}]))"
        said = as_user(FORMER, IMPORTS, code).splitlines()
        assert json.loads(said[0])["event"] == "state_not_opened"
        assert said[1] == "1"
