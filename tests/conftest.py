"""How tests are shared out among the processes that run them."""

from __future__ import annotations

from typing import Any

import pytest

# Rooms whose files share nothing between tests but a helper: each test may run in another process.
APART = ("tests/flow/", "tests/browser/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By file, as ``--dist loadfile`` does, since a file's tests may share a hub; but tests of whole runs one by one.

    A file of eight runs of minutes each would keep one process busy long after the others are done.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrRun(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if nodeid.startswith(APART) else super()._split_scope(nodeid)

    return ByFileOrRun(config, log)
