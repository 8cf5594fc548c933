"""compose.yaml and the manifest say the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vigie.contracts.names import MODULES
from vigie_devkit.manifest.compose import compose_document, compose_text
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.images import module_files

ROOT = Path(__file__).parents[3]
TEMPLATE: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
FILES = module_files(ROOT / "modules")
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = DOCUMENT["services"]
AGENT = TEMPLATE["modulesContent"]["$edgeAgent"]["properties.desired"]


def test_the_file_is_what_the_manifest_says() -> None:
    assert (ROOT / "compose.yaml").read_text(encoding="utf-8") == compose_text(TEMPLATE, FILES), (
        "run ./vigie manifest compose"
    )


def test_the_services_are_the_hub_and_every_module_of_the_manifest() -> None:
    assert list(SERVICES) == ["hub", *AGENT["modules"], "metrics"]


def test_the_hub_reads_the_manifest_itself_so_routes_and_twins_are_the_devices() -> None:
    sources = [volume["source"] for volume in SERVICES["hub"]["volumes"] if volume["type"] == "bind"]
    assert sources == ["./deployment.template.json"]


PUBLISHED = {
    "viewer": ["127.0.0.1:${VIGIE_PAGE_PORT:-8710}:8710"],
    "metrics": ["127.0.0.1:${VIGIE_METRICS_PORT:-9600}:9600"],
}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["mem_limit"]
    assert "privileged" not in service
    # Page and metrics are for this machine; nothing else listens outside of the composition.
    assert service.get("ports", []) == PUBLISHED.get(name, [])


@pytest.mark.parametrize("name", MODULES)
def test_limits_and_environment_are_those_of_the_manifest(name: str) -> None:
    module = AGENT["modules"][name]
    host = module["settings"]["createOptions"]["HostConfig"]
    assert SERVICES[name]["mem_limit"] == f"{host['Memory'] >> 20}m"
    assert {key: value["value"] for key, value in module["env"].items()}.items() <= SERVICES[name][
        "environment"
    ].items()
    mounted = {volume["source"]: volume["target"] for volume in SERVICES[name]["volumes"]}
    assert {mount["Source"]: mount["Target"] for mount in host["Mounts"]}.items() <= mounted.items()


def test_the_frames_volume_is_the_manifests_tmpfs() -> None:
    mounts = AGENT["modules"]["camera"]["settings"]["createOptions"]["HostConfig"]["Mounts"]
    frames = next(mount for mount in mounts if mount["Target"] == "/frames")
    assert DOCUMENT["volumes"][frames["Source"]]["driver_opts"] == frames["VolumeOptions"]["DriverConfig"]["Options"]


def test_a_module_shares_a_network_with_hub_and_metrics_and_with_no_other_module() -> None:
    internal = {name for name, network in DOCUMENT["networks"].items() if network.get("internal")}
    members = {name: {s for s, service in SERVICES.items() if name in service["networks"]} for name in internal}
    assert sorted(map(sorted, members.values())) == sorted(sorted(["hub", "metrics", module]) for module in MODULES)


def test_preprocess_and_inference_reach_only_the_hub() -> None:
    for name in ("preprocess", "inference"):
        assert all(DOCUMENT["networks"][network].get("internal") for network in SERVICES[name]["networks"])
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"actions", "camera", "evidence", "sync"}


def test_the_page_reaches_the_host_and_the_viewer_nothing_beyond_it() -> None:
    assert SERVICES["viewer"]["networks"] == ["edge-viewer", "page"]
    options = DOCUMENT["networks"]["page"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_metrics_holds_nothing_and_no_module_is_on_the_network_it_listens_on() -> None:
    assert not {"volumes", "secrets", "tmpfs"} & set(SERVICES["metrics"])
    assert [name for name, service in SERVICES.items() if "metrics" in service["networks"]] == ["metrics"]
    assert SERVICES["metrics"]["networks"]["metrics"] == {"aliases": ["published"]}
    assert SERVICES["metrics"]["environment"]["VIGIE_MODULES"].split() == list(AGENT["modules"])


def test_no_module_gets_the_workload_socket_of_another() -> None:
    for name in MODULES:
        sources = {volume["source"] for volume in SERVICES[name]["volumes"] if volume["source"].startswith("workload-")}
        assert sources == {f"workload-{name}"}


def test_what_compose_has_no_word_for_is_refused_and_not_left_out() -> None:
    content = copy.deepcopy(TEMPLATE)
    modules = content["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]
    modules["sync"]["settings"]["createOptions"]["HostConfig"]["CgroupParent"] = "/x"
    with pytest.raises(ManifestError, match=r"module sync: .*CgroupParent has no counterpart"):
        compose_document(content, FILES)


def test_a_dollar_in_a_value_reaches_the_container_as_it_is() -> None:
    content = copy.deepcopy(TEMPLATE)
    modules = content["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]
    modules["sync"]["env"]["PRICE"] = {"value": "5 $"}
    assert compose_document(content, FILES)["services"]["sync"]["environment"]["PRICE"] == "5 $$"
