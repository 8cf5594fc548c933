"""Node's device SDK (MQTT and WebSockets) and service SDK, unmodified, against the hub."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.hub import Inbox, manifest, running_hub, wait_until
from support.node import INSTALL_S, node_folder

pytestmark = pytest.mark.timeout(INSTALL_S + 300)
ANSWER_S = 60


@pytest.fixture(scope="module")
def node() -> Path:
    return node_folder()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    routes = {"back": "FROM /messages/modules/other/outputs/echo INTO BrokeredEndpoint('/modules/b/inputs/echoed')"}
    with running_hub(tmp_path_factory.mktemp("node"), manifest(routes, modules=["other", "b"])) as hub:
        if hub.description["https_port"] != 443:
            pytest.skip("port 443 may not be bound by this user")
        yield hub


@contextmanager
def module(hub, node: Path, transport: str) -> Iterator[None]:
    """``module.js`` as module `other`, connected."""
    environment = {**os.environ, **hub.environment("other")}
    with subprocess.Popen(
        ["node", "module.js", transport],
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
def test_a_module_on_nodes_sdk_gets_inputs_sends_outputs_and_follows_its_twin(hub, node, transport):
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


def test_nodes_service_sdk_operates_the_hub_by_its_connection_string_as_it_is(hub, node):
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
    assert shown["listed"] == shown["found"] == [device]
    assert {"other", "b"} <= set(shown["modules"])
    assert shown["desired"] == "from node"
    assert shown["answer"] == {"status": 200, "payload": {"doubled": 42}}
