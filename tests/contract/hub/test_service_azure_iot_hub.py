"""The package azure-iot-hub 2.7.0, unmodified, operates the hub; and what a raw client sees."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from azure.iot.device import MethodResponse

from support.service_side import OperatedHub, manifest, served_hub
from vigie_edgehub.service.credentials import ConnectionString

pytest.importorskip("azure.iot.hub", reason="azure-iot-hub 2.7.0 has no wheel for this machine")

from azure.iot.hub.protocol.models import (
    CloudToDeviceMethod,
    ConfigurationContent,
    QuerySpecification,
    Twin,
    TwinProperties,
)
from msrest.exceptions import HttpOperationError


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedHub]:
    content = manifest("A", "B", desired={"A": {"threshold": 25}})
    with served_hub(tmp_path_factory.mktemp("azure"), content) as hub:
        yield hub


@pytest.fixture
def registry(hub: OperatedHub, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hub.description["ca_file"])
    return hub.registry()


@pytest.fixture
def device(hub: OperatedHub) -> str:
    return hub.description["device_id"]


def test_it_reads_and_updates_a_module_twin(registry: Any, device: str) -> None:
    twin = registry.get_module_twin(device, "A")
    assert twin.properties.desired["threshold"] == 25
    patch = Twin(properties=TwinProperties(desired={"threshold": 30}))
    after = registry.update_module_twin(device, "A", patch, etag=twin.etag)
    assert after.properties.desired["threshold"] == 30
    assert after.etag != twin.etag
    with pytest.raises(HttpOperationError) as refused:
        registry.update_module_twin(device, "A", patch, etag=twin.etag)
    assert refused.value.response.status_code == 412


def test_it_replaces_a_module_twin(registry: Any, device: str) -> None:
    registry.update_module_twin(device, "B", Twin(properties=TwinProperties(desired={"old": 1})))
    after = registry.replace_module_twin(device, "B", Twin(properties=TwinProperties(desired={"new": 2})))
    assert after.properties.desired["new"] == 2
    assert "old" not in after.properties.desired


def test_it_reads_and_updates_the_devices_twin(registry: Any, device: str) -> None:
    registry.update_twin(device, Twin(tags={"site": "north"}))
    assert registry.get_twin(device).tags == {"site": "north"}


def test_it_calls_a_method_and_sees_that_a_module_is_away(hub: OperatedHub, registry: Any, device: str) -> None:
    with pytest.raises(HttpOperationError) as refused:
        registry.invoke_device_module_method(device, "A", CloudToDeviceMethod(method_name="echo"))
    assert refused.value.response.status_code == 404

    def answering(client: Any) -> None:
        def answer(request: Any) -> None:
            client.send_method_response(MethodResponse.create_from_method_request(request, 202, request.payload))

        client.on_method_request_received = answer

    with hub.module("A", prepare=answering):
        call = CloudToDeviceMethod(method_name="echo", payload={"a": [1, "ä"]}, response_timeout_in_seconds=20)
        result = registry.invoke_device_module_method(device, "A", call)
    assert (result.status, result.payload) == (202, {"a": [1, "ä"]})


def test_it_lists_modules_and_the_device(registry: Any, device: str) -> None:
    modules = {module.module_id: module for module in registry.get_modules(device)}
    assert {"A", "B"} <= modules.keys()
    assert modules["A"].authentication.symmetric_key.primary_key
    assert registry.get_module(device, "A").managed_by == "iotEdge"
    assert registry.get_device(device).capabilities.iot_edge is True
    assert [each.device_id for each in registry.get_devices()] == [device]
    assert registry.get_device_registry_statistics().total_device_count == 1
    assert registry.get_service_statistics().connected_device_count == 1


def test_it_creates_changes_and_deletes_a_module_identity(registry: Any, device: str) -> None:
    key, other = "a2V5LWtleS1rZXkta2V5LWtleS0=", "b3RoZXItb3RoZXItb3RoZXItb3RoZXI="
    created = registry.create_module_with_sas(device, "added", "", key, key)
    assert created.authentication.symmetric_key.primary_key == key
    with pytest.raises(HttpOperationError) as refused:
        registry.create_module_with_sas(device, "added", "", key, key)
    assert refused.value.response.status_code == 409
    changed = registry.update_module_with_sas(device, "added", "", created.etag, other, key)
    assert changed.authentication.symmetric_key.primary_key == other
    registry.delete_module(device, "added")
    with pytest.raises(HttpOperationError) as refused:
        registry.get_module(device, "added")
    assert refused.value.response.status_code == 404


def test_it_queries_in_pages(registry: Any) -> None:
    asked = QuerySpecification(query="SELECT * FROM devices.modules WHERE moduleId IN ['A', 'B']")
    first = registry.query_iot_hub(asked, max_item_count=1)
    second = registry.query_iot_hub(asked, first.continuation_token)
    assert sorted(twin.module_id for twin in [*first.items, *second.items]) == ["A", "B"]
    assert second.continuation_token is None


def test_it_applies_configuration_content_to_the_running_hub(hub: OperatedHub, registry: Any, device: str) -> None:
    content = manifest("A", "B", "C", desired={"A": {"threshold": 99}})["modulesContent"]
    hub.configurations().apply_configuration_on_edge_device(device, ConfigurationContent(modules_content=content))
    assert registry.get_module_twin(device, "A").properties.desired["threshold"] == 99
    assert "C" in {module.module_id for module in registry.get_modules(device)}


def test_what_is_not_emulated_says_so_instead_of_succeeding(hub: OperatedHub, registry: Any) -> None:
    with pytest.raises(HttpOperationError) as refused:
        registry.delete_device(hub.description["device_id"])
    assert refused.value.response.status_code == 501


def test_any_api_version_is_served(hub: OperatedHub, device: str) -> None:
    token = ConnectionString.parse(hub.connection_string).token(int(time.time()) + 60)
    for version in ("", "?api-version=2018-06-30", "?api-version=2024-03-31", "?api-version=1900-01-01"):
        status, headers, body = hub.raw("GET", f"/twins/{device}/modules/A{version}", headers={"Authorization": token})
        assert status == 200
        assert headers["ETag"] == f'"{json.loads(body)["etag"]}"'


@pytest.mark.parametrize("path", ["/twins/x/modules/A", "/vigie/status", "/vigie/upstream", "/nowhere"])
def test_nothing_is_served_without_a_signature(hub: OperatedHub, path: str) -> None:
    status, headers, body = hub.raw("GET", path)
    assert status == 401
    assert headers["iothub-errorcode"] == "IotHubUnauthorizedAccess"
    outer = msgspec.json.decode(body)
    inner = msgspec.json.decode(outer["Message"])
    assert outer["ExceptionMessage"] == ""
    assert inner["errorCode"] == 401002
    assert {"trackingId", "message", "timestampUtc"} <= inner.keys()


def test_a_modules_own_token_does_not_operate_the_hub(hub: OperatedHub, device: str) -> None:
    key = hub.service().module("A")["authentication"]["symmetricKey"]["primaryKey"]
    host = ConnectionString.parse(hub.connection_string).host
    forged = ConnectionString(host, "iothubowner", key).token(int(time.time()) + 60)
    status, _, _ = hub.raw("GET", f"/twins/{device}/modules/A", headers={"Authorization": forged})
    assert status == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 50_000])
def test_a_body_that_is_no_object_is_refused(hub: OperatedHub, device: str, body: bytes) -> None:
    token = ConnectionString.parse(hub.connection_string).token(int(time.time()) + 60)
    status, _, answer = hub.raw("PATCH", f"/twins/{device}/modules/A", body, {"Authorization": token})
    assert status == 400
    assert b"does not decode" in answer
