"""Whatever stands in a manifest, the tools answer with findings or one sentence, never with a traceback."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie_devkit.commands.manifest.parsing import read_json
from vigie_devkit.manifest.compose import compose_text
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.explain import explain, message_for
from vigie_devkit.manifest.images import module_files
from vigie_devkit.manifest.lint import Finding, lint
from vigie_devkit.manifest.render import RenderTarget, render
from vigie_edgehub.routes.config import parse_edgehub_desired

ROOT = Path(__file__).parents[3]
TEMPLATE: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
TEMPLATE["modulesContent"]["camera"] = {"properties.desired": {}}
TEMPLATE["modulesContent"]["camera"]["properties.desired"]["cameras"] = {
    "dock": {"source": "synthetic://conveyor?fps=5", "slots": 4, "fps": 5}
}
FILES = module_files(ROOT / "modules")
TARGET = RenderTarget("amd64", FILES, {"CONTAINER_REGISTRY_SERVER": "r.example.com"})
STRANGE: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "$x",
    "${X}",
    "${MODULES.}",
    [],
    [None],
    [[1]],
    {},
    {"": None},
    {"a": {}},
]

Place = tuple[str | int, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    yield here
    if isinstance(value, dict):
        for key, child in value.items():
            yield from places(child, (*here, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from places(child, (*here, index))


PLACES = [place for place in places(TEMPLATE) if place]


def changed(place: Place, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(TEMPLATE)
    parent: Any = content
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = value
    return content


def answers(content: Any) -> None:
    found = lint(content)
    assert all(isinstance(one, Finding) and str(one) for one in found)
    for tool in (lambda: render(content, TARGET), lambda: compose_text(content, FILES)):
        with contextlib.suppress(ManifestError):
            tool()


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_a_strange_value_anywhere_is_found_or_refused(value: Any) -> None:
    for place in PLACES[STRANGE.index(value) :: len(STRANGE)]:  # each place meets one of them; all would take minutes
        try:
            answers(changed(place, value))
        except Exception as error:
            error.add_note(f"{place} = {value!r}")
            raise


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
ANYTHING = st.recursive(
    LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=9), one, max_size=3), max_leaves=6
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), ANYTHING)
def test_anything_anywhere_is_found_or_refused(place: Place, value: Any) -> None:
    answers(changed(place, value))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.binary(max_size=60), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_any_message_is_explained(source: str, body: bytes, props: dict[str, str]) -> None:
    routes = {"a": "FROM /* WHERE $body.x > 1 AND a = b INTO $upstream"}
    desired = {"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": 1}}
    with contextlib.suppress(ManifestError):
        explain(parse_edgehub_desired(desired), [], message_for(source, body, props, {}))


def test_a_bind_without_a_target_and_a_port_without_a_number_are_refused_by_compose() -> None:
    """Both were tracebacks: one found by the table above, one by fuzzing."""
    for module, member, value in (("inference", "Binds", ["x"]), ("viewer", "PortBindings", {"8710/tcp": [{}]})):
        place = ("modulesContent", "$edgeAgent", "properties.desired", "modules", module, "settings", "createOptions")
        with pytest.raises(ManifestError, match=member):
            compose_text(changed((*place, "HostConfig", member), value), FILES)


@pytest.mark.parametrize("text", [r'{"a": "\ud800"}', "[" * 100_000], ids=["half a character", "too deep"])
def test_json_that_could_not_be_written_again_is_refused_where_it_is_read(tmp_path: Path, text: str) -> None:
    """Found by fuzzing: a traceback where the finding was to be printed."""
    (tmp_path / "deployment.json").write_text(text)
    with pytest.raises(ManifestError, match="is not valid JSON"):
        read_json(tmp_path / "deployment.json")
