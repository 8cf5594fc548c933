"""A pytest plugin that lets Microsoft's e2e suite speak to the local hub where it would speak to Azure.

It runs in the suite's own environment (tests/e2e/suite.txt), beside the suite's own files. Two things are replaced: the
service helper, which reads Event Hubs and sends over AMQP, by one on the hub's REST; and the creation of devices, which
get the edge device as their parent, because they connect through a gateway.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import ssl
import sys
import threading
import time
import types
import uuid
from base64 import b64decode, b64encode
from hashlib import sha256
from hmac import HMAC
from typing import Any
from urllib.parse import quote, quote_plus

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.protocol.models import CloudToDeviceMethod, Twin, TwinProperties

_PARTS = dict(part.split("=", 1) for part in os.environ["IOTHUB_CONNECTION_STRING"].split(";"))
_LIFE_S = 3600


def _request(
    verb: str, path: str, body: bytes | None = None, *, timeout_s: float | None = 60
) -> http.client.HTTPResponse:
    resource, expiry = quote_plus(_PARTS["HostName"]), str(int(time.time()) + _LIFE_S)
    digest = HMAC(b64decode(_PARTS["SharedAccessKey"]), f"{resource}\n{expiry}".encode(), sha256).digest()
    signature = quote(b64encode(digest), safe="")
    policy = _PARTS["SharedAccessKeyName"]
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}"
    tls = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection(_PARTS["HostName"], timeout=timeout_s, context=tls)
    connection.request(
        verb, f"{path}{'&' if '?' in path else '?'}api-version=2021-04-12", body, {"Authorization": token}
    )
    response = connection.getresponse()
    if response.status >= 300:
        raise RuntimeError(f"{verb} {path}: {response.status} {response.read()[:300]!r}")
    return response


class Event:
    """One message as the suite looks at it."""

    def __init__(self, record: dict[str, Any], body: Any) -> None:
        self.message_body = body
        self.system_properties = record["systemProperties"]
        self.properties = record["properties"]
        self.content_type = self.system_properties.get("content-type")
        self.device_id = self.system_properties["iothub-connection-device-id"]
        self.module_id = self.system_properties.get("iothub-connection-module-id")


class ServiceHelperSync:
    """The methods of the suite's own helper, on the hub's REST and its record of `$upstream`."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._registry = IoTHubRegistryManager(os.environ["IOTHUB_CONNECTION_STRING"])
        self.device_id: str | None = None
        self.module_id: str | None = None
        self._patches: queue.Queue[dict[str, Any]] = queue.Queue()
        self._events: dict[str, Event] = {}
        self._came = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def set_identity(self, device_id: str, module_id: str | None) -> None:
        if (device_id, module_id) == (self.device_id, self.module_id):
            return
        self.device_id, self.module_id = device_id, module_id
        self._patches = queue.Queue()
        with self._came:
            self._events = {}

    def set_desired_properties(self, desired_props: dict[str, Any]) -> None:
        self._registry.update_twin(self.device_id, Twin(properties=TwinProperties(desired=desired_props)), "*")

    def invoke_method(
        self,
        method_name: str,
        payload: Any,
        connect_timeout_in_seconds: int | None = 30,
        response_timeout_in_seconds: int | None = None,
    ) -> Any:
        request = CloudToDeviceMethod(
            method_name=method_name,
            payload=payload,
            response_timeout_in_seconds=response_timeout_in_seconds,
            connect_timeout_in_seconds=connect_timeout_in_seconds,
        )
        return self._registry.invoke_device_method(self.device_id, request)

    def send_c2d(self, payload: str, properties: dict[str, str]) -> None:
        assert not properties
        _request("POST", f"/devices/{self.device_id}/messages/devicebound", payload.encode())

    def wait_for_eventhub_arrival(self, message_id: str | None, timeout: float = 900) -> Event | None:
        deadline = time.monotonic() + timeout
        with self._came:
            while True:
                found = next(iter(self._events), None) if message_id is None else message_id
                if found in self._events:
                    return self._events.pop(found)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._came.wait(left)

    def get_next_reported_patch_arrival(self, block: bool = True, timeout: float = 240) -> dict[str, Any]:
        return self._patches.get(block=block, timeout=timeout)

    def shutdown(self) -> None:
        pass  # the reader is a daemon thread

    def _follow(self) -> None:
        for line in _request("GET", "/vigie/upstream?follow=true", timeout_s=None):
            record = json.loads(line)
            system = record["systemProperties"]
            if system["iothub-connection-device-id"] != self.device_id:
                continue
            body = record["body"]
            if record["bodyEncoding"] == "base64":
                body = b64decode(body).decode("utf-8", "replace")
                with contextlib.suppress(ValueError):
                    body = json.loads(body)
            if system["iothub-message-source"] == "twinChangeEvents":
                self._patches.put({"reported": body})
                continue
            with self._came:
                self._events[system.get("message-id", f"none-{uuid.uuid4()}")] = Event(record, body)
                self._came.notify_all()


def _with_the_edge_device_as_parent() -> None:
    create = IoTHubRegistryManager.create_device_with_sas

    def create_child(self: Any, device_id: str, *args: Any, **more: Any) -> Any:
        scope = next(one.device_scope for one in self.get_devices() if one.capabilities.iot_edge)
        return create(self, device_id, *args, **more, device_scope=scope)

    IoTHubRegistryManager.create_device_with_sas = create_child


_helper = types.ModuleType("dev_utils.service_helper_sync")
_helper.ServiceHelperSync = ServiceHelperSync  # type: ignore[attr-defined]  # a module made here
sys.modules["dev_utils.service_helper_sync"] = _helper
_with_the_edge_device_as_parent()
