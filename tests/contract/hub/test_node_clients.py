"""Node's device SDK (MQTT and WebSockets) and service SDK, unmodified, against the hub."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from support.hub import HubProcess, Inbox, manifest, running_hub, wait_until
from support.node import INSTALL_S, node_folder

pytestmark = pytest.mark.timeout(INSTALL_S + 300)
ANSWER_S = 60


@pytest.fixture(scope="module")
def node() -> Path:
    return node_folder()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    routes = {
        "back": "FROM /messages/modules/other/outputs/echo INTO BrokeredEndpoint('/modules/b/inputs/echoed')",
        "devices": "FROM /messages/* WHERE NOT is_defined($connectionModuleId) "
        "INTO BrokeredEndpoint('/modules/b/inputs/device')",
    }
    with running_hub(tmp_path_factory.mktemp("node"), manifest(routes, modules=["other", "b"])) as hub:
        if hub.description["https_port"] != 443:
            pytest.skip("port 443 may not be bound by this user")
        yield hub


def module(hub: HubProcess, node: Path, transport: str) -> AbstractContextManager[None]:
    """``module.js`` as module `other`, connected."""
    return program(node, hub.environment("other"), "module.js", transport)


@contextmanager
def program(node: Path, more: dict[str, str], *words: str) -> Iterator[None]:
    """One of our scripts, once it says that it is ready."""
    environment = {**os.environ, **more}
    with subprocess.Popen(
        ["node", *words],
        cwd=node,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first == "ready\n", first + process.stdout.read()
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("transport", ["mqtt", "websockets"])
def test_a_module_on_nodes_sdk_gets_inputs_sends_outputs_and_follows_its_twin(
    hub: HubProcess, node: Path, transport: str
) -> None:
    inbox = Inbox()
    with module(hub, node, transport), hub.sdk("b", inbox):
        hub.service().send_message(module="other", input="in", body=transport, content_type="text/plain")
        message = inbox.wait_for(1, ANSWER_S)[0]
        assert (message.data, message.input_name) == (f"in:{transport}".encode(), "echoed")
        assert message.custom_properties["language"] == "node"
        hub.service().patch_twin("other", {"properties": {"desired": {"wanted": transport}}})
        wait_until(
            lambda: hub.service().twin("other")["properties"]["reported"].get("seen") == transport,
            ANSWER_S,
            "the reported property",
        )


@pytest.mark.parametrize("transport", ["mqtt", "websockets"])
def test_a_leaf_device_on_nodes_sdk_sends_gets_messages_and_methods_and_follows_its_twin(
    hub: HubProcess, node: Path, transport: str
) -> None:
    shown = hub.description
    name = f"node-{transport}"
    key = hub.service().add_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    text = f"HostName={shown['iothub_hostname']};DeviceId={name};SharedAccessKey={key}"
    text += f";GatewayHostName={shown['gateway_hostname']}"
    inbox = Inbox()
    with hub.sdk("b", inbox), program(node, {}, "device.js", transport, text, shown["ca_file"]):
        hub.service().send_to_device(name, b"open", {"iothub-app-level": "high"})
        message = inbox.wait_for(1, ANSWER_S)[0]
        assert (message.data, message.custom_properties["$.cdid"]) == (b"back:open", name)
        assert message.custom_properties["level"] == "high"
        answer = hub.service().invoke_method(f"/{name}", "double", b'{"n": 21}')
        assert json.loads(bytes(answer.payload)) == {"doubled": 42}
        hub.service().patch_twin(f"/{name}", {"properties": {"desired": {"wanted": transport}}})
        wait_until(
            lambda: hub.service().twin(f"/{name}")["properties"]["reported"].get("seen") == transport,
            ANSWER_S,
            "the reported property",
        )


def test_nodes_service_sdk_operates_the_hub_by_its_connection_string_as_it_is(hub: HubProcess, node: Path) -> None:
    with module(hub, node, "mqtt"):
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": hub.description["ca_file"]}
        device = hub.description["device_id"]
        ended = subprocess.run(
            ["node", "service.js", hub.connection_string, device, "other"],
            cwd=node,
            env=environment,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr[-2000:]
    shown = json.loads(ended.stdout)
    assert shown["found"] == [device]
    assert {device, "node-leaf"} <= set(shown["listed"])
    assert (shown["leaf"]["child"], len(shown["leaf"]["key"])) == (True, 44)
    assert {"other", "b"} <= set(shown["modules"])
    assert shown["desired"] == "from node"
    assert shown["answer"] == {"status": 200, "payload": {"doubled": 42}}
