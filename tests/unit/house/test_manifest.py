"""deployment.template.json agrees with the names in the code and with the published schemas' main rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vigie.contracts import names

ROOT = Path(__file__).parents[3]
CONTENT: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))["modulesContent"]
ROUTES: dict[str, dict[str, Any]] = CONTENT["$edgeHub"]["properties.desired"]["routes"]
ROUTE = re.compile(
    r"FROM /messages/modules/(?P<source>\w+)/outputs/(?P<output>\w+) (?:WHERE \w+ = '\w+' )?INTO "
    r'(?:BrokeredEndpoint\("/modules/(?P<target>\w+)/inputs/(?P<input>\w+)"\)|\$upstream)'
)


def edges() -> set[tuple[str, str, str | None, str | None]]:
    found = set()
    for name, route in ROUTES.items():
        match = ROUTE.fullmatch(route["route"])
        assert match, f"route {name}: {route['route']}"
        found.add((match["source"], match["output"], match["target"], match["input"]))
    return found


def test_routes_connect_the_flow_that_the_code_names() -> None:
    of_the_viewer = {names.PREVIEW, names.OVERLAY, names.DEMAND, names.STATUS, names.TIMELINE, names.TRIAL}
    assert {edge for edge in edges() if edge[1] not in {names.CREDIT, *of_the_viewer}} == {
        (names.CAMERA, names.FRAMES, names.PREPROCESS, names.FRAMES),
        (names.PREPROCESS, names.TENSORS, names.INFERENCE, names.TENSORS),
        (names.INFERENCE, names.DETECTIONS, names.SYNC, names.DETECTIONS),
        (names.INFERENCE, names.INPUT_SPEC, names.PREPROCESS, names.INPUT_SPEC),
        (names.INFERENCE, names.BLUR, names.CAMERA, names.BLUR),
        (names.CAMERA, names.EVENTS, names.SYNC, names.EVENTS),
        (names.INFERENCE, names.EVENTS, names.SYNC, names.EVENTS),
        (names.SYNC, names.TELEMETRY, None, None),
        (names.SYNC, names.EVENTS, names.ACTIONS, names.EVENTS),
        (names.SYNC, names.KEEP, names.CAMERA, names.KEEP),
        (names.EVIDENCE, names.EVENTS, names.SYNC, names.EVENTS),
    }


def test_routes_connect_the_viewer_with_every_module() -> None:
    assert {edge for edge in edges() if names.VIEWER in (edge[0], edge[2]) and edge[1] != names.CREDIT} == {
        (names.CAMERA, names.PREVIEW, names.VIEWER, names.FRAMES),
        (names.INFERENCE, names.OVERLAY, names.VIEWER, names.DETECTIONS),
        (names.INFERENCE, names.TRIAL, names.VIEWER, names.TRIAL),
        (names.SYNC, names.TIMELINE, names.VIEWER, names.EVENTS),
        *(
            (names.VIEWER, names.DEMAND, module, names.DEMAND)
            for module in (*names.FLOW, names.ACTIONS, names.EVIDENCE)
        ),
        *(
            (module, names.STATUS, names.VIEWER, names.STATUS)
            for module in (*names.FLOW, names.ACTIONS, names.EVIDENCE)
        ),
    }


def test_every_consumer_has_a_credit_route_back_to_its_sender() -> None:
    watched = {names.FRAMES, names.TENSORS, names.DETECTIONS, names.PREVIEW, names.OVERLAY}
    forward = {(s, t) for s, o, t, _ in edges() if t and o in watched}
    assert {(t, s) for s, o, t, _ in edges() if o == names.CREDIT} == forward


def test_references_to_pixels_do_not_pile_up_while_a_consumer_is_down() -> None:
    assert all(
        ROUTES[name]["timeToLiveSecs"] <= 10 for name in ("frames", "tensors", "inputspec", "preview", "overlay")
    )


def test_alerts_go_before_what_else_waits_for_the_cloud_and_wait_as_long() -> None:
    assert ROUTES["alerts"]["priority"] < ROUTES["telemetry"]["priority"]
    assert ROUTES["alerts"]["timeToLiveSecs"] >= ROUTES["telemetry"]["timeToLiveSecs"]
    assert "WHERE severity = 'alert'" in ROUTES["alerts"]["route"]


def test_what_was_seen_outlives_a_week_without_the_cloud() -> None:
    assert ROUTES["telemetry"]["timeToLiveSecs"] >= 7 * 86400


def test_what_is_sent_again_until_it_is_confirmed_does_not_pile_up_in_the_hub() -> None:
    assert ROUTES["events"]["timeToLiveSecs"] <= 60


def test_the_evidence_module_sees_chosen_files_only_and_cannot_change_them() -> None:
    modules = CONTENT["$edgeAgent"]["properties.desired"]["modules"]
    mounts = {
        name: {mount["Source"]: mount for mount in one["settings"]["createOptions"]["HostConfig"]["Mounts"]}
        for name, one in modules.items()
    }
    assert set(mounts["evidence"]) == {"vigie-evidence", "vigie-chosen", "vigie-doorbells"}
    assert mounts["evidence"]["vigie-chosen"]["ReadOnly"]
    assert {name for name, of in mounts.items() if "vigie-chosen" in of} == {"camera", "evidence"}
    binds = modules["evidence"]["settings"]["createOptions"]["HostConfig"]["Binds"]
    assert binds == ["/etc/vigie/evidence-secrets:/run/secrets:ro"]


def test_the_template_sets_no_desired_property_of_a_module() -> None:
    # Applying a manifest replaces every twin that it names: an upgrade would delete the operator's cameras.
    assert set(CONTENT) == {"$edgeAgent", "$edgeHub"}


@pytest.mark.parametrize("module", names.MODULES)
def test_every_module_has_a_default_for_each_property(module: str) -> None:
    config = __import__(f"vigie_{module}.config", fromlist=["config"])
    schema = getattr(config, f"{module.capitalize()}Config")
    msgspec.convert({}, schema)


def test_no_camera_runs_by_default() -> None:
    from vigie_camera.config import CameraConfig

    assert CameraConfig().cameras == {}


@pytest.mark.parametrize("module", names.MODULES)
def test_containers_are_locked_down(module: str) -> None:
    settings = CONTENT["$edgeAgent"]["properties.desired"]["modules"][module]["settings"]
    host = settings["createOptions"]["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert len(json.dumps(settings["createOptions"], separators=(",", ":"))) <= 8 * 512
