"""A task that runs while a block runs, and whose failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def background_task(
    work: Coroutine[Any, Any, None], name: str, failed: Callable[[Exception], None]
) -> AsyncIterator[None]:
    """Run ``work`` in a task called ``name`` until the block is left; ``failed`` is told what ended it before."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failed(error if isinstance(error, Exception) else RuntimeError(str(error)))

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
