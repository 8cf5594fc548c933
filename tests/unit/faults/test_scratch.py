"""The folder of a trial is gone at its end, and that of a trial that was killed at the start of the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vigie_devkit.faults.scratch import clear_orphans, scratch

HOLDS = """
import sys, time
from pathlib import Path
from vigie_devkit.faults.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "home").mkdir()
    print(folder, flush=True)
    time.sleep(600)
"""


def test_a_trials_folder_is_gone_at_its_end_also_after_a_failure(tmp_path: Path) -> None:
    def trial() -> None:
        with scratch(tmp_path) as folder:
            (folder / "up.log").write_text("x", encoding="ascii")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_trial_is_removed_and_that_of_a_living_one_is_left(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        assert clear_orphans(tmp_path) == []
        if os.geteuid() == 0:
            mounted = folder / "home"
            subprocess.run(["mount", "-t", "tmpfs", "vigie-faults", str(mounted)], check=False, capture_output=True)
        other.kill()
    unknown = tmp_path / "vigie-trial-without-owner"
    unknown.mkdir()
    assert clear_orphans(tmp_path) == [folder]
    assert list(tmp_path.iterdir()) == [unknown]
