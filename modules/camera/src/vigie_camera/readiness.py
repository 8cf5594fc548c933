"""Whether the module is ready, by its cameras. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vigie_camera.config import ReadyWhen


def unready(wanted: ReadyWhen, troubles: Mapping[str, str | None]) -> str | None:
    """Why the module is not ready, naming the cameras that give no frames; None: it is.

    Args: troubles: camera to what keeps it from giving frames; None: it gives them, or has finished.
    """
    down = {name: trouble for name, trouble in sorted(troubles.items()) if trouble is not None}
    flowing = len(troubles) - len(down)
    needed = {"any": min(1, len(troubles)), "all": len(troubles), "quorum": -(-len(troubles) // 2)}[wanted]
    if flowing >= needed:
        return None
    told = "; ".join(f"{name}: {trouble}" for name, trouble in down.items())
    return f"{flowing} of {len(troubles)} cameras give frames, {needed} must (ready_when {wanted}): {told}"
