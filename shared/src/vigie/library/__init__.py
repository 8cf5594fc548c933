"""One face over bundles, runtimes and decoders, for programs that are not Vigie's modules; see docs/library.md."""

from __future__ import annotations

from vigie.library.found import Found
from vigie.library.model import Model, open_model
from vigie.library.serve import RuntimeFacts
from vigie.runtimes.choosing.objective import Selection

__all__ = ["Found", "Model", "RuntimeFacts", "Selection", "open_model"]
