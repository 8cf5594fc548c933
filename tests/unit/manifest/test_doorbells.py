"""Which outputs may leave the routes, as the routes have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.manifest.doorbells import doorbells_of, shared_outputs
from vigie_edgehub.routes.config import parse_edgehub_desired

TEMPLATE = json.loads((Path(__file__).parents[3] / "deployment.template.json").read_text(encoding="utf-8"))
HUB: dict[str, Any] = TEMPLATE["modulesContent"]["$edgeHub"]["properties.desired"]
MODULES = TEMPLATE["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]


def doorbells(module: str, **more: str) -> str:
    return doorbells_of(parse_edgehub_desired({**HUB, "routes": {**HUB["routes"], **more}}).routes, module)


@pytest.mark.parametrize("module", MODULES)
def test_the_template_says_of_each_module_what_its_routes_say(module: str) -> None:
    told = MODULES[module]["env"].get("VIGIE_DOORBELLS", {"value": ""})["value"]
    assert told == doorbells(module)


@pytest.mark.parametrize(
    "route",
    [
        'FROM /messages/modules/camera/outputs/frames INTO BrokeredEndpoint("/modules/archive/inputs/frames")',
        'FROM /messages/modules/camera/outputs/frames WHERE camera = "x" INTO BrokeredEndpoint("/modules/a/inputs/i")',
        'FROM /messages/modules/Camera/* INTO BrokeredEndpoint("/modules/archive/inputs/frames")',
        "FROM /messages/* INTO $upstream",
    ],
)
def test_a_second_consumer_whatever_its_condition_keeps_an_output_on_the_route(route: str) -> None:
    assert "frames" not in doorbells("camera", more=route).split()


def test_a_second_route_to_the_same_consumer_is_not_a_second_consumer() -> None:
    route = 'FROM /messages/modules/camera/outputs/* INTO BrokeredEndpoint("/modules/preprocess/inputs/frames")'
    assert doorbells("camera", more=route) == "frames"  # and preview has got a second one by it


def test_an_output_without_its_consumer_has_no_doorbell() -> None:
    routes = {name: route for name, route in HUB["routes"].items() if name != "frames"}
    assert doorbells_of(parse_edgehub_desired({**HUB, "routes": routes}).routes, "camera") == "preview"


def test_a_shared_output_is_told_with_its_other_consumers() -> None:
    route = 'FROM /messages/modules/camera/* INTO BrokeredEndpoint("/modules/archive/inputs/frames")'
    assert shared_outputs(parse_edgehub_desired(HUB).routes) == []
    assert shared_outputs(parse_edgehub_desired({**HUB, "routes": {**HUB["routes"], "more": route}}).routes) == [
        ("camera", "frames", ["archive/frames"]),
        ("camera", "preview", ["archive/frames"]),
    ]
