"""The renderer: scenes of a conveyor belt with parts on it, and the truth about every frame.

``open_scene("synthetic://conveyor?seed=1&fps=30")`` gives a :class:`~vigie.synthetic.scene.Scene` whose frames can be
asked for in any order and are the same pixels everywhere (docs/decisions/0009-renderer.md).
"""

from vigie.synthetic.parts import LABELS
from vigie.synthetic.scene import Scene, open_scene
from vigie.synthetic.truth import Truth
from vigie.synthetic.url import SCHEME, SceneSpec, parse_url

__all__ = ["LABELS", "SCHEME", "Scene", "SceneSpec", "Truth", "open_scene", "parse_url"]
