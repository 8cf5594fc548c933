from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.config import HubConfig, parse_edgehub_desired
from vigie_edgehub.routes.lint import Severity, lint_config
from vigie_edgehub.routes.table import compile_route

MODULES = ("camera", "sync", "post-office")
TO_SYNC = "INTO BrokeredEndpoint('/modules/sync/inputs/in')"


def codes(*routes: str, ttl_s: int = 7200, **options: object) -> dict[str, int]:
    """Code to column of what is found, dead outputs apart."""
    config = HubConfig("1.1", tuple(compile_route(text, name=f"r{n}") for n, text in enumerate(routes)), ttl_s)
    found = lint_config(config, MODULES, **options)
    for finding in found:
        assert finding.message
        assert finding.remedy
        assert str(finding)
    return {finding.code: finding.column for finding in found if finding.code != "dead-output"}


@pytest.mark.parametrize(
    ("route", "code", "column"),
    [
        ("FROM /messages/modules/camera/outputs/o INTO $upstream WHERE a = 'b'", "text-after-into", 56),
        ("FROM /messages/modules/camera/outputs/o INTO $upstream ;", "text-after-into", 56),
        ("FROM /messages/modules/*/outputs/o INTO $upstream", "star-inside-source", 24),
        ("FROM /messages/modules/cam* INTO $upstream", "star-in-name", 24),
        ("FROM /messages/modules/camera/*/outputs/*/ INTO $upstream", "comment-in-source", 30),
        ("FROM /messages/events INTO $upstream", "source-matches-nothing", 6),
        ("FROM /messages/events/* INTO $upstream", "source-matches-nothing", 6),
        ("FROM /message/* INTO $upstream", "source-matches-nothing", 6),
        ("FROM /deviceLifecycleEvents INTO $upstream", "source-matches-nothing", 6),
        ("FROM /messages/modules/camera/output/o INTO $upstream", "source-matches-nothing", 6),
        ("FROM /messages/modules/camera/outputs/o/p INTO $upstream", "source-matches-nothing", 6),
        ("FROM /messages/modules/kamera/outputs/o INTO $upstream", "unknown-source-module", 6),
        ("FROM /messages/modules/camera INTO BrokeredEndpoint('/modules/Sync/inputs/in')", "unknown-target-module", 53),
        ("FROM /messages/modules/camera INTO BrokeredEndpoint('/modules/snyc/inputs/in')", "unknown-target-module", 53),
        ("FROM /messages/modules/camera INTO BrokeredEndpoint('/module/sync/input/in')", "odd-address", 53),
        ("FROM /messages/modules/camera INTO BrokeredEndpoint('/modules/sync/inputs//')", "blank-input", 53),
        (f"FROM /messages/* {TO_SYNC}", "own-messages", 6),
        (f"FROM /messages/modules/sync {TO_SYNC}", "own-messages", 6),
        ("FROM /* INTO $upstream", "twin-changes-too", 6),
        ("FROM /messages/* WHERE key1!='x' INTO $upstream", "operator-in-name", 24),
        ("FROM /messages/* WHERE as_number(3-1) = 2 INTO $upstream", "operator-in-name", 34),
        ("FROM /messages/* WHERE True = 'x' INTO $upstream", "literal-case", 24),
        ("FROM /messages/* WHERE is_defined($body) INTO $upstream", "bare-body", 35),
        ("FROM /messages/* WHERE $correlationId = 'x' INTO $upstream", "unknown-system", 24),
        ("FROM /messages/* WHERE $kind = 'x' INTO $upstream", "unknown-system", 24),
        ("FROM /messages/* WHERE is_null($body.x) INTO $upstream", "is-null-of-body", 24),
        ("FROM /messages/* WHERE NOT ($body.x > 5) INTO $upstream", "body-order", 37),
    ],
)
def test_what_the_real_hub_accepts_in_silence_is_found_at_its_column(route: str, code: str, column: int) -> None:
    assert codes(route).get(code) == column


@pytest.mark.parametrize(
    "route",
    [
        f"FROM /messages/modules/camera/outputs/frames {TO_SYNC}",
        f"FROM /messages/modules/camera/* {TO_SYNC}",
        f"FROM /messages/modules/CAMERA {TO_SYNC}",
        "FROM /messages INTO $upstream",
        "FROM /twinChangeNotifications INTO $upstream",
        "FROM /messages/modules INTO $upstream",
        "FROM /messages /* all */ INTO $upstream",
        "FROM /messages/* WHERE my-key = 'x' AND $contentType = 'y' AND {$cid} = 'z' INTO $upstream",
        "FROM /messages/* WHERE $body.x = null AND NOT (a = 'b' OR c = 'd') INTO $upstream",
    ],
)
def test_a_sound_route_has_no_finding(route: str) -> None:
    assert codes(route) == {}


def test_a_remedy_names_the_module_that_was_meant() -> None:
    config = HubConfig("1.1", (compile_route("FROM /messages/modules/postoffice/* INTO $upstream", name="r"),), 7200)
    (finding,) = [one for one in lint_config(config, MODULES) if one.code == "unknown-source-module"]
    assert finding.remedy == "write 'post-office'"
    assert finding.severity is Severity.ERROR
    assert str(finding).startswith("route 'r' column 6: no module 'postoffice' is in the manifest; ")


def test_a_module_without_any_route_is_a_dead_output() -> None:
    config = HubConfig("1.1", (compile_route("FROM /messages/modules/camera/outputs/o INTO $upstream"),), 7200)
    dead = [finding.message for finding in lint_config(config, MODULES) if finding.code == "dead-output"]
    assert [text.split("'")[1] for text in dead] == ["post-office", "sync"]


def test_known_outputs_are_checked_one_by_one() -> None:
    config = HubConfig("1.1", (compile_route("FROM /messages/modules/camera/outputs/frames INTO $upstream"),), 7200)
    dead = lint_config(config, ["camera"], outputs={"camera": ["frames", "extra"]})
    assert [finding.message for finding in dead] == [
        "no route takes messages of output 'extra' of 'camera'; they are acknowledged and dropped"
    ]


def test_a_time_to_live_of_nothing_is_found() -> None:
    assert "expires-at-once" in codes(ttl_s=0)
    assert "expires-at-once" not in codes(ttl_s=-1)


def test_the_manifest_that_ships_has_nothing_to_say() -> None:
    root = next(folder for folder in Path(__file__).parents if (folder / "deployment.template.json").exists())
    content = json.loads((root / "deployment.template.json").read_text())["modulesContent"]
    modules = content["$edgeAgent"]["properties.desired"]["modules"]
    config = parse_edgehub_desired(content["$edgeHub"]["properties.desired"])
    assert [str(one) for one in lint_config(config, modules) if one.severity is not Severity.HINT] == []


@given(st.lists(st.sampled_from(["/messages", "/modules", "/camera", "/*", "/outputs", "/x*", "/events"]), max_size=6))
def test_any_source_is_linted_without_a_crash(items: list[str]) -> None:
    with contextlib.suppress(RouteRefusedError):
        codes(f"FROM /{''.join(items) or 'a'} INTO $upstream".replace("//", "/"))
