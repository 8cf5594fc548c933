"""Taking cameras out of the twin at the end of a run, against a hub that does not take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie_devkit.local import twins
from vigie_devkit.local.errors import HubFailedError
from vigie_devkit.local.twins import TwinClient


async def test_a_run_that_cannot_stop_its_cameras_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "REMOVE_AGAIN_AFTER_S", 0.0)
    with pytest.raises(HubFailedError, match=r"cameras could not be stopped.*no hub runs|cameras could not be stopped"):
        await TwinClient(tmp_path).remove_cameras(["dock"])
