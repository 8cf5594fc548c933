"""Where frames come from: one file per family of sources, chosen by the registry."""

from vigie_camera.sources.registry import SourcePlan, plan_source
from vigie_camera.sources.source import Source

__all__ = ["Source", "SourcePlan", "plan_source"]
