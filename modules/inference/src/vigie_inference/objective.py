"""From the configuration to the objective: pins and lists merged into one."""

from __future__ import annotations

import msgspec

from vigie.errors import ConfigRefusedError
from vigie.runtimes.choosing.objective import Objective, Selection
from vigie_inference.config import InferenceConfig
from vigie_inference.pins import pinned_variant


def objective_of(config: InferenceConfig) -> Objective:
    """What the runtime is chosen for, and from what.

    Raises: ConfigRefusedError: pins or lists contradict each other; the path is that of the narrower one.
    """
    runtime, pin = config.runtime, pinned_variant(config)
    require, forbid = runtime.require or Selection(), runtime.forbid or Selection()
    if runtime.engine is not None:
        _require_listed("$.runtime.engine", runtime.engine, "engines", require.engines)
        require = msgspec.structs.replace(require, engines=(runtime.engine,))
    if pin is not None:
        _require_listed(*pin, "variants", require.variants)
        require = msgspec.structs.replace(require, variants=(pin[1],))
    for field in ("engines", "providers", "devices", "variants"):
        required, forbidden = getattr(require, field), getattr(forbid, field)
        if required and forbidden and set(required) <= set(forbidden):
            raise ConfigRefusedError(
                f"$.runtime.forbid.{field}", f"forbids everything that is required: {', '.join(required)}"
            )
    return Objective(
        kind="energy" if runtime.objective == "power_critical" else runtime.objective,
        accuracy_floor=runtime.accuracy_floor,
        memory_mb_max=runtime.memory_mb_max,
        require=require,
        prefer=runtime.prefer or Selection(),
        forbid=forbid,
    )


def _require_listed(path: str, pin: str, field: str, listed: tuple[str, ...] | None) -> None:
    if listed is not None and pin not in listed:
        raise ConfigRefusedError(path, f"{pin!r} is not in $.runtime.require.{field}")
