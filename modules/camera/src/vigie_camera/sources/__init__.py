"""Where frames come from: what the operator wrote, understood; opened in a decoder's process."""

from vigie_camera.sources.registry import SourcePlan, plan_source

__all__ = ["SourcePlan", "plan_source"]
