from __future__ import annotations

import json
from pathlib import Path

import pytest

from vigie.contracts.names import FLOW
from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.manifest import TEMPLATE, flow_order, local_manifest, modules_of, override, render


def test_the_local_manifest_is_the_template_with_these_cameras_and_this_model() -> None:
    template = json.loads(TEMPLATE.read_text())["modulesContent"]
    cameras = {"dock": {"source": "rtsp://u:${DOCK}@h/s", "pace": "realtime"}}
    content = local_manifest({}, cameras, Path("/bundles/x"))["modulesContent"]
    assert content["camera"]["properties.desired"]["cameras"] == cameras, "secrets' names must not be filled in"
    assert content["inference"]["properties.desired"]["model"] == {"path": "/bundles/x"}
    assert content["$edgeHub"] == template["$edgeHub"], "routes must come from the template unchanged"
    assert set(content) == {*template, "camera", "inference"}, "no other module's twin is touched"


def test_a_score_is_set_only_where_one_is_asked_for() -> None:
    plain, asked = (local_manifest({}, {}, Path("/x"), score=score) for score in (None, 0.05))
    assert "score" not in plain["modulesContent"]["inference"]["properties.desired"]
    assert asked["modulesContent"]["inference"]["properties.desired"]["score"] == 0.05


def test_modules_come_in_flow_order() -> None:
    content = local_manifest({}, {}, Path("/x"))
    assert flow_order(content, FLOW)[: len(FLOW)] == list(FLOW)
    assert flow_order(content, ("sync", "absent"))[0] == "sync"
    assert set(modules_of(content)) >= set(FLOW)


def test_placeholders_are_filled_from_the_environment_and_escaped() -> None:
    assert render('{"a": "${NAME}", "i": "${MODULES.camera}"}', {"NAME": 'x"y'}) == {
        "a": 'x"y',
        "i": "vigie-camera:0.1.0",
    }


def test_a_secret_in_a_cameras_source_is_left_to_the_camera_module() -> None:
    camera = {"cameras": {"dock": {"source": "rtsp://u:${DOCK}@h/s"}}}
    template = {"modulesContent": {"camera": {"properties.desired": camera}}}
    assert render(json.dumps(template), {"DOCK": "s3cret"}) == template


def test_a_placeholder_without_a_value_names_itself() -> None:
    with pytest.raises(UsageError, match=r"needs a value for \$\{SITE\}"):
        render('{"a": "${SITE}"}', {})


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_template_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"holds no JSON object|is not valid JSON"):
        render(text, {})


def test_overriding_merges_objects_and_replaces_all_else() -> None:
    content = {"modulesContent": {"m": {"properties.desired": {"a": {"b": 1, "c": [1, 2]}, "d": 1}}}}
    override(content, "m", {"a": {"c": [3]}, "e": {"f": 1}})
    override(content, "new", {"x": 1})
    assert content["modulesContent"]["m"]["properties.desired"] == {"a": {"b": 1, "c": [3]}, "d": 1, "e": {"f": 1}}
    assert content["modulesContent"]["new"]["properties.desired"] == {"x": 1}


def test_what_goes_upstream_is_set_only_when_a_run_asks_for_it() -> None:
    plain, asked = (local_manifest({}, {}, Path("/x"), upstream=upstream) for upstream in (None, "both"))
    assert "sync" not in plain["modulesContent"]
    assert asked["modulesContent"]["sync"]["properties.desired"]["upstream"] == "both"
