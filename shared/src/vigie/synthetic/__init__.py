"""The renderer: scenes of a conveyor belt with parts on it, and the truth about every frame.

``open_scene("synthetic://conveyor?seed=1&fps=30")`` gives a :class:`~vigie.synthetic.scene.Scene` whose frames can be
asked for in any order and are the same pixels everywhere (docs/decisions/0009-renderer.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vigie.synthetic.url import SCHEME, SceneSpec, parse_url

if TYPE_CHECKING:
    from vigie.synthetic.parts import LABELS
    from vigie.synthetic.scene import Scene, open_scene
    from vigie.synthetic.truth import PartTruth

__all__ = ["LABELS", "SCHEME", "PartTruth", "Scene", "SceneSpec", "open_scene", "parse_url"]

_RENDERER = {"LABELS": "parts", "Scene": "scene", "open_scene": "scene", "PartTruth": "truth"}


def __getattr__(name: str) -> object:
    """The renderer needs NumPy; who only reads a URL (the hub of compose.yaml) does not have it."""
    if name not in _RENDERER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_RENDERER[name]}"), name)
