"""What a finding says: one mistake is one finding, in sentences, with what is allowed and the nearest word."""

from __future__ import annotations

from typing import Any

import pytest

from support.manifest_draft import Draft, found_in

AGENT = "$.modulesContent.$edgeAgent.properties.desired"


def set_member(draft: Draft, path: str, value: Any) -> None:
    *folders, last = path.split(".")
    at: Any = draft.modules
    for name in folders:
        at = at[name]
    at[last] = value


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            "sync.restartPolicy",
            "alway",
            "expected one of always, never, on-failure, on-unhealthy, got \"alway\"; did you mean 'always'? correct it",
        ),
        ("sync.env.VIGIE_LOG", "json", 'expected an object, got "json"; correct it'),
        ("sync.imagePullPolicy", "always", 'expected one of never, on-create, got "always"; see azure-iot-edge'),
        ("sync.startupOrder", "first", 'expected a whole number, got "first"; see azure-iot-edge'),
    ],
)
def test_a_value_of_another_kind_is_one_finding_with_what_is_allowed(path: str, value: Any, sentence: str) -> None:
    draft = Draft()
    set_member(draft, path, value)
    found = [one for one in found_in(draft) if one.severity == "error"]
    assert [one.path for one in found] == [f"{AGENT}.modules.{path}"]
    assert sentence in str(found[0])
    assert "`" not in str(found[0])


def test_options_that_cannot_be_read_are_one_finding_and_hide_nobody_elses() -> None:
    draft = Draft()
    draft.host("viewer")["PortBindings"] = {"8710/tcp": [{"HostPort": 8710}], "9/tcp": [{"HostPort": "x"}]}
    draft.host("viewer")["Devices"] = ["/dev/dri"]
    del draft.options("sync")["User"]
    found = [one for one in found_in(draft) if one.rule != "schema"]
    assert [one.rule for one in found] == ["options-malformed", "user-not-set"]
    where = f"{AGENT}.modules.viewer.settings.createOptions.HostConfig"
    assert str(found[0]) in {
        f"error: {where}.{a}: {why_a}; {where}.{b}: {why_b}; correct it [options-malformed]"
        for (a, why_a), (b, why_b) in _both_ways(
            ("PortBindings.8710/tcp[0].HostPort", "expected text, got 8710"),
            ("Devices[0]", 'expected an object, got "/dev/dri"'),
        )
    }


def _both_ways(one: tuple[str, str], other: tuple[str, str]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return [(one, other), (other, one)]


@pytest.mark.parametrize("address", ["other.azurecr.io", "R.example.com", "https://r.example.com/", "${REGISTRY}"])
def test_credentials_of_a_registry_that_is_used_or_is_another_one_altogether_are_left_alone(address: str) -> None:
    draft = Draft()
    draft.rendered()
    draft.agent["runtime"]["settings"]["registryCredentials"] = {
        "acme": {"address": address, "username": "devices", "password": "word"}
    }
    assert [one for one in found_in(draft) if one.rule == "credential-elsewhere"] == []


def test_a_module_beside_the_flow_may_be_stopped() -> None:
    draft = Draft()
    draft.modules["viewer"]["status"] = "stopped"
    assert [one for one in found_in(draft) if one.rule == "module-stopped"] == []


def test_logging_of_the_whole_device_and_other_drivers_bound_a_log_too() -> None:
    draft = Draft()
    draft.host("sync")["LogConfig"] = {"Type": "journald"}
    assert [one for one in found_in(draft) if one.rule.startswith("log-")] == []
    del draft.host("sync")["LogConfig"]
    draft.agent["runtime"]["settings"]["loggingOptions"] = '{"Config": {"max-size": "10m"}}'
    assert [one for one in found_in(draft) if one.rule.startswith("log-")] == []
