"""Manifests of other people's modules: each shape that public repositories have, of our own making.

None of them breaks a rule by that shape; each seeded fault beside it is found.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.cli import main
from vigie_devkit.manifest.lint import Assumptions, Severity, lint

FILTER = 'BrokeredEndpoint("/modules/filter/inputs/in")'
Change = Callable[[dict[str, Any]], None]


def foreign() -> dict[str, Any]:
    """A template as the tools of IoT Edge make it: a sensor and a filter, one image of this solution."""
    return {
        "$schema-template": "4.0.0",
        "modulesContent": {
            "$edgeAgent": {
                "properties.desired": {
                    "schemaVersion": "1.1",
                    "runtime": {
                        "type": "docker",
                        "settings": {"minDockerVersion": "v1.25", "loggingOptions": "", "registryCredentials": {}},
                    },
                    "systemModules": {
                        "edgeAgent": {
                            "type": "docker",
                            "settings": {"image": "mcr.microsoft.com/azureiotedge-agent:1.6", "createOptions": {}},
                        },
                        "edgeHub": {
                            "type": "docker",
                            "status": "running",
                            "restartPolicy": "always",
                            "settings": {
                                "image": "mcr.microsoft.com/azureiotedge-hub:1.6",
                                "createOptions": {
                                    "HostConfig": {
                                        "PortBindings": {
                                            "5671/tcp": [{"HostPort": "5671"}],
                                            "8883/tcp": [{"HostPort": "8883"}],
                                            "443/tcp": [{"HostPort": "443"}],
                                        }
                                    }
                                },
                            },
                        },
                    },
                    "modules": {
                        "sensor": {
                            "version": "1.0",
                            "type": "docker",
                            "status": "running",
                            "restartPolicy": "always",
                            "settings": {"image": "r.example.com/sensor:1.0", "createOptions": {}},
                        },
                        "filter": {
                            "version": "1.0",
                            "type": "docker",
                            "status": "running",
                            "restartPolicy": "always",
                            "settings": {"image": "${MODULES.Filter}", "createOptions": {}},
                        },
                    },
                }
            },
            "$edgeHub": {
                "properties.desired": {
                    "schemaVersion": "1.2",
                    "routes": {
                        "sensorToFilter": f"FROM /messages/modules/sensor/* INTO {FILTER}",
                        "filterToCloud": "FROM /messages/modules/filter/outputs/* INTO $upstream",
                    },
                    "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
                }
            },
            "filter": {"properties.desired": {"TemperatureThreshold": 25}},
        },
    }


def agent(content: dict[str, Any]) -> dict[str, Any]:
    return content["modulesContent"]["$edgeAgent"]["properties.desired"]


def edge_hub(content: dict[str, Any]) -> dict[str, Any]:
    return content["modulesContent"]["$edgeHub"]["properties.desired"]


def host(content: dict[str, Any], module: str = "sensor") -> dict[str, Any]:
    return agent(content)["modules"][module]["settings"]["createOptions"].setdefault("HostConfig", {})


def credentials(password: str) -> Change:
    def change(content: dict[str, Any]) -> None:
        agent(content)["runtime"]["settings"]["registryCredentials"] = {
            "$CONTAINER_REGISTRY_NAME": {
                "address": "$CONTAINER_REGISTRY_ADDRESS",
                "username": "$CONTAINER_REGISTRY_USERNAME",
                "password": password,
            }
        }

    return change


def lower_case_member(content: dict[str, Any]) -> None:
    host(content)["runtime"] = "nvidia"


def route_variable(content: dict[str, Any]) -> None:
    edge_hub(content)["routes"]["extra"] = "$EDGEHUB_ROUTE"


def schema_one(content: dict[str, Any]) -> None:
    agent(content)["schemaVersion"] = "1.0"
    edge_hub(content)["schemaVersion"] = "1.0"


def hub_on_other_ports(content: dict[str, Any]) -> None:
    options = agent(content)["systemModules"]["edgeHub"]["settings"]["createOptions"]
    options["HostConfig"]["PortBindings"] = {"443/tcp": [{"HostPort": "1443"}]}
    host(content)["PortBindings"] = {"443/tcp": [{"HostPort": "443"}]}


def timeout_variable(content: dict[str, Any]) -> None:
    agent(content)["modules"]["sensor"]["env"] = {"IOTEDGE_TIMEOUT": {"value": "60"}}


def options_as_text(content: dict[str, Any]) -> None:
    settings = agent(content)["modules"]["sensor"]["settings"]
    settings["createOptions"] = json.dumps({"HostConfig": {"Binds": ["/dev/video0:/dev/video0"]}})


SHAPES: list[Change] = [
    lambda _: None,
    credentials("$CONTAINER_REGISTRY_PASSWORD_contoso"),
    credentials("${CONTAINER_REGISTRY_PASSWORD}"),
    lower_case_member,
    route_variable,
    schema_one,
    hub_on_other_ports,
    timeout_variable,
    options_as_text,
]
NAMES = ["plain", "bare password", "password", "lower case", "route", "schema 1.0", "ports", "timeout", "text"]


@pytest.mark.parametrize("change", SHAPES, ids=NAMES)
def test_a_shape_of_other_peoples_manifests_is_no_error(change: Change) -> None:
    content = foreign()
    change(content)
    before = copy.deepcopy(content)
    assert [found for found in lint(content) if found.severity == Severity.ERROR] == []
    assert content == before


def test_modules_are_looked_up_beside_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "modules/Filter"
    folder.mkdir(parents=True)
    tag = {"version": "1.0", "platforms": {"amd64": "./Dockerfile.amd64"}}
    (folder / "module.json").write_text(json.dumps({"image": {"repository": "r.example.com/filter", "tag": tag}}))
    file = tmp_path / "deployment.template.json"
    file.write_text(json.dumps(foreign()))
    assert main(["manifest", "lint", str(file)]) == 0, capsys.readouterr().out
    folder.rename(folder.with_name("Other"))
    assert main(["manifest", "lint", str(file)]) == 1
    assert "[placeholder-module]" in capsys.readouterr().out


def seed_password(content: dict[str, Any]) -> None:
    credentials("hunter2")(content)


def seed_reserved(content: dict[str, Any]) -> None:
    agent(content)["modules"]["sensor"]["env"] = {"IOTEDGE_DEVICEID": {"value": "x"}}


def seed_misplaced(content: dict[str, Any]) -> None:
    agent(content)["modules"]["sensor"]["settings"]["createOptions"]["Memory"] = 1 << 28


def seed_port(content: dict[str, Any]) -> None:
    host(content)["PortBindings"] = {"443/tcp": [{"HostPort": "443"}]}


def seed_route(content: dict[str, Any]) -> None:
    edge_hub(content)["routes"]["extra"] = "FROM /messages INTO $EDGEHUB_ROUTE"


def seed_old(content: dict[str, Any]) -> None:
    for name in ("agent", "hub"):
        settings = agent(content)["systemModules"][f"edge{name.title()}"]["settings"]
        settings["image"] = f"mcr.microsoft.com/azureiotedge-{name}:1.4"


# Shapes that stand where the fault is seeded.
TAKES_THE_PLACE = {"options-port-taken": ("ports", "text"), "options-ignored": ("text",)}


@pytest.mark.parametrize(
    ("seed", "rule"),
    [
        (seed_password, "credential-in-template"),
        (seed_reserved, "env-reserved"),
        (seed_misplaced, "options-ignored"),
        (seed_port, "options-port-taken"),
        (seed_route, "route-config-refused"),
        (seed_old, "runtime-end-of-life"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_seeded_fault_is_found_in_every_shape(seed: Change, rule: str) -> None:
    for change, name in zip(SHAPES, NAMES, strict=True):
        if (rule, name) in {
            ("options-port-taken", "ports"),
            ("options-ignored", "text"),
            ("options-port-taken", "text"),
        }:
            continue  # that shape takes the place of what is seeded
        content = foreign()
        change(content)
        seed(content)
        assert rule in {found.rule for found in lint(content, Assumptions())}, name


def test_a_layer_is_linted() -> None:
    whole = foreign()
    sensor = agent(whole)["modules"]["sensor"]
    layer = {
        "content": {
            "modulesContent": {
                "$edgeAgent": {"properties.desired.modules.sensor": sensor},
                "$edgeHub": {"properties.desired.routes.extra": "FROM /messages/modules/sensor/* INTO $upstream"},
            }
        }
    }
    assert [found for found in lint(layer) if found.severity == Severity.ERROR] == []
    sensor["settings"]["createOptions"] = '{"Memory": 3, "HostConfig": {"Memory": 3}}'
    assert {"options-ignored", "memory-not-bytes"} <= {found.rule for found in lint(layer)}
