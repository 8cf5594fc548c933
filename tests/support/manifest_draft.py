"""A copy of the shipped deployment template that tests break in one place, and what the lint finds in it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from vigie_devkit.manifest.lint import Assumptions, Finding, lint
from vigie_devkit.manifest.render import split_options

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
SYNTHETIC = "synthetic://conveyor?seed=1&size=1920x1080&fps=30"


class Draft:
    """A copy of the shipped template with short ways to what tests change."""

    def __init__(self) -> None:
        self.content = copy.deepcopy(TEMPLATE)
        self.parts: dict[str, Any] = self.content["modulesContent"]
        self.agent = self.parts["$edgeAgent"]["properties.desired"]
        self.hub = self.parts["$edgeHub"]["properties.desired"]
        self.modules = self.agent["modules"]

    def settings(self, module: str) -> dict[str, Any]:
        return self.modules[module]["settings"]

    def options(self, module: str) -> dict[str, Any]:
        return self.settings(module)["createOptions"]

    def host(self, module: str) -> dict[str, Any]:
        return self.options(module)["HostConfig"]

    def frames(self, module: str) -> dict[str, Any]:
        return next(mount for mount in self.host(module)["Mounts"] if mount["Target"] == "/frames")

    def tensors(self, module: str) -> dict[str, Any]:
        return next(mount for mount in self.host(module)["Mounts"] if mount["Target"] == "/tensors")

    def signals(self, module: str) -> dict[str, Any]:
        return next(mount for mount in self.host(module)["Mounts"] if mount["Target"] == "/signals")

    @property
    def sharing(self) -> list[str]:
        return [name for name in self.modules if any(m["Target"] == "/frames" for m in self.host(name)["Mounts"])]

    def tmpfs(self, module: str) -> dict[str, str]:
        return self.frames(module)["VolumeOptions"]["DriverConfig"]["Options"]

    def desired(self, module: str) -> dict[str, Any]:
        return self.parts.setdefault(module, {"properties.desired": {}})["properties.desired"]

    def camera(self, **settings: Any) -> None:
        self.desired("camera").setdefault("cameras", {})[f"c{len(self.desired('camera')['cameras'])}"] = {
            "source": SYNTHETIC,
            **settings,
        }

    def route(self, name: str, text: str, **members: Any) -> None:
        self.hub["routes"][name] = {"route": text, **members}

    def rendered(self) -> None:
        """As a renderer leaves it: no placeholders, createOptions in pieces."""
        del self.content["$schema-template"]
        self.options("sync")["Env"] = [f"PADDING={'x' * 300}"]  # so that there is a second piece
        for group in ("modules", "systemModules"):
            for name, module in self.agent[group].items():
                settings = module["settings"]
                settings["image"] = f"r.example.com/vigie-{name}:0.1.0-amd64"
                settings.update(split_options(name, settings.pop("createOptions")))


def found_in(draft: Draft, assumed: Assumptions | None = None) -> list[Finding]:
    return lint(draft.content, assumed or Assumptions(modules=ROOT / "modules", own_modules=ROOT / "modules"))
