"""Rendering: every platform key, every class of hardware, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from vigie.contracts.names import MODULES
from vigie_devkit.images.catalogue import HARDWARE_KEYS
from vigie_devkit.manifest.content import create_options, edge_modules
from vigie_devkit.manifest.dotenv import read_dotenv
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.hardware import NONE, add_hardware, choose_hardware, read_hardware
from vigie_devkit.manifest.images import module_files, platforms
from vigie_devkit.manifest.lint import lint
from vigie_devkit.manifest.render import RenderTarget, layer, render, split_options
from vigie_edgehub.manifest import parse_manifest
from vigie_edgehub.routes.config import parse_edgehub_desired

ROOT = Path(__file__).parents[3]
TEMPLATE: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
FILES = module_files(ROOT / "modules")
HARDWARE = read_hardware(ROOT / "deploy/hardware")
PLATFORMS = platforms(FILES)
VALUES = {
    "CONTAINER_REGISTRY_SERVER": "r.example.com/vigie",
    "RENDER_GID": "993",
    "FASTRPC_GID": "995",
    "APEX_GID": "991",
}


def target(platform: str = "amd64", hardware: str | None = None, tag: str | None = None, **values: str) -> RenderTarget:
    return RenderTarget(platform, FILES, {**VALUES, **values}, tag, choose_hardware(HARDWARE, platform, hardware))


def changed(**environment: str) -> dict[str, Any]:
    content = copy.deepcopy(TEMPLATE)
    edge_modules(content)["sync"]["env"] |= {name: {"value": value} for name, value in environment.items()}
    return content


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_renders_to_a_manifest_without_a_finding(platform: str) -> None:
    manifest = render(TEMPLATE, target(platform))
    assert lint(manifest) == []
    images = {name: module["settings"]["image"] for name, module in edge_modules(manifest).items()}
    assert images == {name: f"r.example.com/vigie/vigie-{name}:0.1.0-{platform}" for name in MODULES}
    assert "$schema-template" not in manifest


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_local_hub_takes_every_rendered_manifest(platform: str) -> None:
    manifest = parse_manifest(render(TEMPLATE, target(platform)))
    assert manifest.modules == list(MODULES)
    routes = TEMPLATE["modulesContent"]["$edgeHub"]["properties.desired"]["routes"]
    assert [route.name for route in parse_edgehub_desired(manifest.desired["$edgeHub"]).routes] == list(routes)


@pytest.mark.parametrize("name", HARDWARE)
def test_every_class_of_hardware_renders_to_a_manifest_without_a_finding(name: str) -> None:
    platform = next(iter(HARDWARE[name].platforms), "amd64-openvino")
    manifest = render(TEMPLATE, target(platform, name))
    assert lint(manifest) == []
    options = create_options("inference", edge_modules(manifest)["inference"]["settings"])
    assert options["HostConfig"]["ReadonlyRootfs"] is True
    assert options["User"] == "1253:1250"
    for key in HARDWARE[name].modules.get("inference", {}).get("HostConfig", {}):
        assert key in options["HostConfig"]


def test_a_class_of_hardware_touches_no_module_that_does_not_use_it() -> None:
    plain, gpu = (render(TEMPLATE, target("amd64-openvino", name)) for name in (NONE, "intel-npu"))
    for name in ("camera", "preprocess", "sync"):
        assert edge_modules(plain)[name] == edge_modules(gpu)[name]
    assert edge_modules(plain)["inference"] != edge_modules(gpu)["inference"]


def test_each_key_of_the_catalogue_has_one_default_class_and_no_class_a_key_that_no_image_has() -> None:
    named = [platform for one in HARDWARE.values() for platform in one.platforms]
    assert len(named) == len(set(named))
    assert set(named) == set(HARDWARE_KEYS) == set(PLATFORMS)


@pytest.mark.parametrize("key", HARDWARE_KEYS)
def test_each_key_has_a_layer_with_its_own_image_and_what_its_class_adds(key: str) -> None:
    found = choose_hardware(HARDWARE, key, None)
    assert found is not None
    text = json.dumps(layer(render(TEMPLATE, target(key)), ["inference"]))
    assert f"vigie-inference:0.1.0-{key}" in text
    for device in found.modules.get("inference", {}).get("HostConfig", {}).get("Devices", []):
        assert device["PathOnHost"] in text


def test_options_in_pieces_are_put_together_again_as_they_were() -> None:
    options = {"Env": [f"N{number}={'x' * 40}" for number in range(40)], "HostConfig": {"Memory": 1}}
    pieces = split_options("m", options)
    assert list(pieces) == ["createOptions", "createOptions01", "createOptions02", "createOptions03"]
    assert all(len(piece) <= 512 for piece in pieces.values())
    assert create_options("m", pieces) == options


def test_options_beyond_eight_pieces_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"module m: createOptions take \d+ characters, edgeAgent reads 4096"):
        split_options("m", {"Env": ["x" * 4100]})


def test_only_names_in_braces_are_placeholders() -> None:
    manifest = render(changed(SITE="${SITE}", PRICE="5 $ $SITE"), target(SITE="dock", upstream="evil", edgeHub="evil"))
    env = edge_modules(manifest)["sync"]["env"]
    assert (env["SITE"]["value"], env["PRICE"]["value"]) == ("dock", "5 $ $SITE")
    assert "INTO $upstream" in json.dumps(manifest)
    assert "$edgeHub" in manifest["modulesContent"]


def test_a_secret_of_a_camera_stays_a_name_even_where_it_has_a_value() -> None:
    content = copy.deepcopy(TEMPLATE)
    source = "rtsp://u:${DOCK}@192.0.2.1/s"
    content["modulesContent"]["camera"] = {"properties.desired": {"cameras": {"dock": {"source": source}}}}
    manifest = render(content, target(DOCK="s3cret"))
    assert "s3cret" not in json.dumps(manifest)
    assert source in json.dumps(manifest)


@pytest.mark.parametrize(
    ("content", "at", "text"),
    [
        (changed(SITE="${SITE}"), target(), r"env\.SITE\.value: \$\{SITE\} has no value; set SITE"),
        (changed(X="${MODULES.sink}"), target(), r"there is no modules/sink/module.json; known are actions, camera"),
        (changed(X="${MODULES.sync.mips}"), target(), r"platform 'mips' is unknown; use one of amd64"),
        ({"modulesContent": {}}, target(), r"is not an object of modules"),
        ({}, target(), r"there is no object 'modulesContent'"),
    ],
    ids=["no value", "no module", "no platform", "no modules", "no manifest"],
)
def test_what_cannot_be_rendered_says_where_and_what_to_do(
    content: dict[str, Any], at: RenderTarget, text: str
) -> None:
    with pytest.raises(ManifestError, match=text):
        render(content, at)


def test_without_a_registry_the_option_is_named() -> None:
    with pytest.raises(ManifestError, match="pass --registry"):
        render(TEMPLATE, RenderTarget("amd64", FILES, {}))


def test_an_empty_registry_leaves_the_names_of_this_machine() -> None:
    manifest = render(TEMPLATE, target(tag="9", CONTAINER_REGISTRY_SERVER=""))
    assert edge_modules(manifest)["camera"]["settings"]["image"] == "vigie-camera:9-amd64"


def test_credentials_come_from_the_usual_names_and_only_all_together() -> None:
    given = {"CONTAINER_REGISTRY_USERNAME": "u", "CONTAINER_REGISTRY_PASSWORD": "p"}
    agent = render(TEMPLATE, target(**given))["modulesContent"]["$edgeAgent"]["properties.desired"]
    assert agent["runtime"]["settings"]["registryCredentials"] == {
        "r": {"address": "r.example.com", "username": "u", "password": "p"}
    }
    agent = render(TEMPLATE, target(CONTAINER_REGISTRY_USERNAME="u"))["modulesContent"]["$edgeAgent"]
    assert agent["properties.desired"]["runtime"]["settings"]["registryCredentials"] == {}


def test_a_layer_replaces_the_named_module_and_nothing_else() -> None:
    manifest = render(TEMPLATE, target("amd64-openvino", "intel-gpu"))
    parts = layer(manifest, ["inference"])["content"]["modulesContent"]
    assert parts == {"$edgeAgent": {"properties.desired.modules.inference": edge_modules(manifest)["inference"]}}
    found = lint(layer(manifest, ["inference"]))
    assert [str(one) for one in found if one.severity == "error"] == [], "a layer can be linted"
    with pytest.raises(ManifestError, match="there is no module 'stranger'"):
        layer(manifest, ["stranger"])


def test_merging_hardware_joins_lists_and_keeps_what_was_there() -> None:
    base = {"Env": ["A=1"], "HostConfig": {"GroupAdd": ["1"], "Memory": 5}}
    merged = add_hardware(base, {"Env": ["A=1", "B=2"], "HostConfig": {"Memory": 9, "Devices": []}})
    assert merged == {"Env": ["A=1", "B=2"], "HostConfig": {"GroupAdd": ["1"], "Memory": 9, "Devices": []}}
    assert base == {"Env": ["A=1"], "HostConfig": {"GroupAdd": ["1"], "Memory": 5}}


def test_an_unknown_class_of_hardware_names_those_that_are_known() -> None:
    with pytest.raises(ManifestError, match="'tpu' is unknown; use one of cpu, edge-tpu, intel-gpu"):
        choose_hardware(HARDWARE, "amd64", "tpu")


def test_a_file_of_values_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# c\n\nexport A=1\nB = 'x y' \nC=\"#q\"\nD=plain # remark\nE=a=b$c\n")
    assert read_dotenv(file) == {"A": "1", "B": "x y", "C": "#q", "D": "plain", "E": "a=b$c"}


def test_a_line_that_is_none_is_named_without_its_value(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\ns3cret\n")
    with pytest.raises(ManifestError, match="line 2: is not NAME=value") as refused:
        read_dotenv(file)
    assert "s3cret" not in str(refused.value)
