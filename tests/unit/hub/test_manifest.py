"""Deployment content: wrappers, layered keys, identities, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.hub import manifest
from vigie_edgehub.lint import lint_manifest
from vigie_edgehub.manifest import parse_manifest, read_manifest_file
from vigie_edgehub.ports import ManifestRefusedError

CONTENT = manifest({"r": "FROM /messages INTO $upstream"}, modules={"a": {"x": 1}, "b": {}})


@pytest.mark.parametrize(
    "wrapped",
    [
        CONTENT,
        {"content": CONTENT},
        {"moduleContent": CONTENT["modulesContent"]},
        {"$schema-template": "4.0.0", **CONTENT},
        {"id": "x", "content": {"modulesContent": CONTENT["modulesContent"]}, "priority": 3},
    ],
    ids=["plain", "content", "legacy", "template", "configuration"],
)
def test_every_wrapper_is_taken(wrapped: dict[str, Any]) -> None:
    parsed = parse_manifest(wrapped)
    assert parsed.modules == ["a", "b"]
    assert parsed.desired["a"] == {"x": 1}


def test_identities_are_the_agents_modules_and_every_section() -> None:
    content = manifest(modules={"a": {}})["modulesContent"]
    content["twin-only"] = {"properties.desired": {"y": 2}}
    del content["a"]
    parsed = parse_manifest({"modulesContent": content})
    assert sorted(parsed.desired) == ["$edgeAgent", "$edgeHub", "a", "twin-only"]


def test_a_dotted_key_replaces_its_subtree_and_leaves_the_rest() -> None:
    content = manifest(modules={"a": {"s": {"one": 1, "two": 2}}})["modulesContent"]
    content["a"]["properties.desired.s.two"] = {"deep": 3}
    content["a"]["properties.desired.fresh.key"] = True
    content["$edgeHub"]["properties.desired.routes.late"] = "FROM /messages INTO $upstream"
    parsed = parse_manifest({"modulesContent": content})
    assert parsed.desired["a"] == {"s": {"one": 1, "two": {"deep": 3}}, "fresh": {"key": True}}
    assert list(parsed.desired["$edgeHub"]["routes"]) == ["late"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "modulesContent"),
        ({"modulesContent": {}}, "\\$edgeHub"),
        ({"modulesContent": {"$edgeHub": 5}}, "modulesContent.\\$edgeHub: expected an object"),
        ({"modulesContent": {"$edgeHub": {"properties.desired": []}}}, "expected an object"),
        (manifest(modules={"a": {"bad.key": 1}}), "a: properties.desired: key 'bad.key'"),
        (manifest(modules={"a": {f"k{n}": "x" * 4000 for n in range(9)}}), "at most 32768"),
    ],
    ids=["empty", "no hub", "number", "array", "key", "size"],
)
def test_content_that_cannot_be_deployed_is_refused_with_its_place(content: dict[str, Any], reason: str) -> None:
    with pytest.raises(ManifestRefusedError, match=reason):
        parse_manifest(content)


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[1]")
    with pytest.raises(ManifestRefusedError, match="expected a JSON object"):
        read_manifest_file(tmp_path / "m.json")


def test_lint_says_what_would_be_refused_as_its_only_finding() -> None:
    assert [finding.code for finding in lint_manifest({})] == ["manifest-refused"]
    bad = manifest({"r": "FROM nowhere INTO $upstream"})
    assert [finding.code for finding in lint_manifest(bad)] == ["config-refused"]


def test_lint_looks_at_every_route() -> None:
    content = manifest({"r": 'FROM /messages/modules/zz INTO BrokeredEndpoint("/modules/a/inputs/i")'})
    assert "unknown-source-module" in {finding.code for finding in lint_manifest(content)}


@pytest.mark.parametrize("name", ["..", ".", "../../x", "a/b", "a b", "", "x" * 129, "a\n"])
def test_a_module_id_that_would_leave_its_folder_is_refused(name: str) -> None:
    content = {
        "modulesContent": {
            "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {}}},
            "$edgeAgent": {"properties.desired": {"modules": {name: {}}}},
        }
    }
    with pytest.raises(ManifestRefusedError, match="is not a module id"):
        parse_manifest(content)
