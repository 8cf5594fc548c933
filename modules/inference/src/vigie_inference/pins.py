"""Where a variant is pinned: in ``$.runtime.variant``.

Two former places, ``$.model.variant`` and a list of one in ``$.runtime.require.variants``, are honoured for one version
more, as long as they do not contradict it, and told as deprecated.
"""

from __future__ import annotations

from vigie.errors import ConfigRefusedError
from vigie_inference.config import InferenceConfig

PLACE = "$.runtime.variant"
DEPRECATED = f"deprecated: pin the variant by {PLACE}; the next version refuses this"


def _pins(config: InferenceConfig) -> list[tuple[str, str]]:
    """Path and variant of each pin, the one way first."""
    model, require = config.model, config.runtime.require
    listed = None if require is None else require.variants
    places = {
        PLACE: config.runtime.variant,
        "$.model.variant": None if model is None else model.variant,
        "$.runtime.require.variants": listed[0] if listed is not None and len(listed) == 1 else None,
    }
    return [(path, variant) for path, variant in places.items() if variant is not None]


def pinned_variant(config: InferenceConfig) -> tuple[str, str] | None:
    """Path and name of the one variant that may serve; None: several may.

    Raises: ConfigRefusedError: two pins name two variants; the path is that of the deprecated one.
    """
    pins = _pins(config)
    if not pins:
        return None
    first, variant = pins[0]
    for path, other in pins[1:]:
        if other != variant:
            raise ConfigRefusedError(path, f"is {other!r}, {first} is {variant!r}; keep only {PLACE}")
    return pins[0]


def deprecated_pins(config: InferenceConfig) -> list[str]:
    """Paths of the pins that are not in the one place."""
    return [path for path, _ in _pins(config) if path != PLACE]


def notes_on_pins(config: InferenceConfig) -> dict[str, str]:
    """What the acknowledgement of a property says of it, by property; empty where nothing is deprecated."""
    notes: dict[str, str] = {}
    for path in deprecated_pins(config):
        name = path.removeprefix("$.").partition(".")[0]
        notes[name] = f"{path}: {DEPRECATED}"
    return notes
