"""Where a module's configuration comes from: its environment, its twin, and the last good copy of that on disk."""

from __future__ import annotations

from vigie.config.environment import ModuleEnvironment

__all__ = ["ModuleEnvironment"]
