"""The one rule for names of modules, wherever one comes from: a manifest, the registry, the environment.

A name becomes part of topics, of file names and of the path of a socket, so it is what Azure allows without the
characters that mean something there.
Source: learn.microsoft.com, "Understand module twins" (ids: 128 of ASCII letters, digits and a set of marks).
"""

from __future__ import annotations

import re
from typing import Final

_MODULE_ID: Final = re.compile(r"\$?[A-Za-z0-9_.:%-]{1,128}")
MODULE_ID_RULE: Final = "1 to 128 letters, digits and . _ - : %, not only dots"


def is_module_id(text: str) -> bool:
    """True for a name that a module may have; ``$edgeAgent`` and ``$edgeHub`` have theirs."""
    return _MODULE_ID.fullmatch(text) is not None and len(text) <= 128 and text.strip(".") != ""
