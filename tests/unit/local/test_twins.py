"""Taking cameras out of the twin at the end of a run, against a hub that does not take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie_devkit.local.errors import HubFailedError
from vigie_devkit.local.twins import TwinClient


async def test_a_run_that_cannot_stop_its_cameras_says_why(tmp_path: Path) -> None:
    with pytest.raises(HubFailedError, match=r"cameras could not be stopped.*no hub runs|cameras could not be stopped"):
        await TwinClient(tmp_path, again_after_s=0.0).remove_cameras(["dock"])
