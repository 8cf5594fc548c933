"""docs/deploy.md, "Upgrade one module, and back", on the local hub: what operators set by twin stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.hub import HubProcess
from support.service_side import served_hub
from vigie_devkit.manifest.images import module_files
from vigie_devkit.manifest.render import RenderTarget, render

ROOT = Path(__file__).parents[3]
CAMERAS = {"dock-1": {"source": "rtsp://operator:${DOCK_1_PASSWORD}@192.0.2.10/stream1"}}
SETTINGS = {"camera": {"cameras": CAMERAS}, "inference": {"score": 0.4}, "sync": {"report": "with_detections"}}


def rendered(tag: str) -> dict[str, Any]:
    template = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
    values = {"CONTAINER_REGISTRY_SERVER": "r.example.com"}
    return render(template, RenderTarget("amd64", module_files(ROOT / "modules"), values, tag=tag))


def desired(hub: HubProcess, module: str) -> dict[str, Any]:
    found = hub.service().twin(module)["properties"]["desired"]
    return {key: value for key, value in found.items() if not key.startswith("$")}


def images(hub: HubProcess) -> str:
    return desired(hub, "$edgeAgent")["modules"]["sync"]["settings"]["image"]


def test_an_upgrade_and_its_roll_back_keep_cameras_and_settings(tmp_path: Path) -> None:
    before, after = rendered("0.1.0"), rendered("0.1.1")
    with served_hub(tmp_path, before) as hub:
        for module, patch in SETTINGS.items():
            hub.service().patch_twin(module, {"properties": {"desired": patch}})
        versions = {module: hub.service().twin(module)["properties"]["desired"]["$version"] for module in SETTINGS}
        for content, tag in ((after, "0.1.1"), (before, "0.1.0")):
            hub.service().apply_configuration(content)
            assert images(hub) == f"r.example.com/vigie-sync:{tag}-amd64"
            assert {module: desired(hub, module) for module in SETTINGS} == SETTINGS
        # Not even a new version: no module is told anything.
        assert versions == {
            module: hub.service().twin(module)["properties"]["desired"]["$version"] for module in SETTINGS
        }


def test_a_manifest_that_names_desired_properties_replaces_them(tmp_path: Path) -> None:
    # As IoT Hub does, and why `manifest lint` warns of it.
    content = rendered("0.1.0")
    with served_hub(tmp_path, content) as hub:
        hub.service().patch_twin("camera", {"properties": {"desired": {"cameras": CAMERAS}}})
        content["modulesContent"]["camera"] = {"properties.desired": {"cameras": {}}}
        hub.service().apply_configuration(content)
        assert desired(hub, "camera") == {"cameras": {}}
