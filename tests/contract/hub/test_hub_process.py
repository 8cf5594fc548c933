"""The hub as a process: how it starts, what it leaves, what it says when it cannot; the workload API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import HubProcess, manifest, route, running_hub, wait_until
from support.wire import key_of, wire
from vigie_edgehub.environment import module_environment

OUT = {"out": route("a/out", "b/in")}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub(tmp_path_factory.mktemp("hub"), manifest(OUT)) as hub:
        yield hub


def run_refused(*arguments: str | Path) -> str:
    """The one sentence of a hub that cannot start."""
    command = [sys.executable, "-m", "vigie_edgehub", "run", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, ended.stderr
    return lines[0]


def written(folder: Path, content: dict) -> Path:
    file = folder / "deployment.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_manifest_that_is_none_is_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    assert "cannot be read" in run_refused("--manifest", tmp_path / "absent.json", "--state", tmp_path / "s")
    (tmp_path / "text.json").write_text("no json")
    assert "not valid JSON" in run_refused("--manifest", tmp_path / "text.json", "--state", tmp_path / "s")
    assert "modulesContent" in run_refused("--manifest", written(tmp_path, {}), "--state", tmp_path / "s")
    bad = manifest({"r": "FROM /messages INTO nowhere"})
    sentence = run_refused("--manifest", written(tmp_path, bad), "--state", tmp_path / "s")
    assert "$.routes.r" in sentence
    assert "column" in sentence


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sentence = run_refused("--manifest", written(tmp_path, manifest(OUT)), "--state", tmp_path / "file")
    assert "--state" in sentence


def test_a_second_hub_on_the_same_state_folder_is_one_sentence(hub: HubProcess) -> None:
    sentence = run_refused("--manifest", hub.manifest_file, "--state", hub.state)
    assert "another hub runs" in sentence


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.91.7.3", 8883))
        busy.listen()
        arguments = (
            "--manifest",
            written(tmp_path, manifest(OUT)),
            "--state",
            tmp_path / "s",
            "--listen",
            "127.91.7.3",
        )
        assert "port 8883 of 127.91.7.3 is busy" in run_refused(*arguments)


def test_an_unknown_setting_is_one_sentence(tmp_path: Path) -> None:
    arguments = ("--manifest", written(tmp_path, manifest(OUT)), "--state", tmp_path / "s", "--set", "no_such=1")
    assert "no_such" in run_refused(*arguments)


def test_sigterm_ends_it_with_0_and_leaves_neither_hub_json_nor_sockets(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        sockets = Path(hub.description["workload_dir"])
        assert list(sockets.glob("*.sock"))
        with wire(hub, "a"):
            assert hub.stop() == 0
        assert not hub.hub_json.exists()
        assert not sockets.exists()


def test_a_restart_keeps_address_keys_certificate_authority_and_sockets(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        before = (hub.environment("a"), key_of(hub, "a"), Path(hub.description["ca_file"]).read_bytes())
        hub.kill9()
        hub.start()
        assert (hub.environment("a"), key_of(hub, "a"), Path(hub.description["ca_file"]).read_bytes()) == before


def test_another_address_gets_another_server_certificate_from_the_same_authority(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        authority = Path(hub.description["ca_file"]).read_bytes()
        hub.stop()
        moved = HubProcess(
            tmp_path, manifest(OUT), options=["--listen", "127.91.7.4", "--gateway-hostname", "localhost"]
        )
        try:
            moved.start()
            assert Path(moved.description["ca_file"]).read_bytes() == authority
            with wire(moved, "a"):
                pass
        finally:
            moved.close()


def test_two_hubs_side_by_side_have_their_own_addresses(hub: HubProcess, tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as other:
        assert other.description["listen"] != hub.description["listen"]


def test_secrets_are_readable_by_their_owner_only(hub: HubProcess) -> None:
    names = ["keys.json", "ca/ca.key", "ca/server.key", "service-connection-string"]
    assert {stat.S_IMODE((hub.state / name).stat().st_mode) for name in names} == {0o600}
    assert stat.S_IMODE(Path(hub.description["workload_dir"]).stat().st_mode) == 0o700


def test_the_edge_hub_reports_its_configuration_and_its_clients(hub: HubProcess) -> None:
    with wire(hub, "a") as a:
        reported = wait_until(lambda: hub.service().twin("$edgeHub")["properties"]["reported"])
        assert reported["lastDesiredStatus"] == {"code": 200, "description": ""}
        assert reported["lastDesiredVersion"] == hub.service().twin("$edgeHub")["properties"]["desired"]["$version"]
        assert reported["clients"][a.client_id]["status"] == "Connected"


def test_a_changed_manifest_at_the_next_start_replaces_desired_and_an_unchanged_one_does_not(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT, modules={"a": {"x": 1}, "b": {}})) as hub:
        hub.service().patch_twin("a", {"properties": {"desired": {"x": 5}}})
        hub.restart()
        desired = hub.service().twin("a")["properties"]["desired"]
        assert desired["x"] == 5
        hub.write_manifest(manifest(OUT, modules={"a": {"x": 2}, "b": {}}))
        hub.restart()
        changed = hub.service().twin("a")["properties"]["desired"]
        assert (changed["x"], changed["$version"]) == (2, desired["$version"] + 1)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def workload(hub: HubProcess, module: str, verb: str, path: str, body: bytes | None = None) -> tuple[int, dict]:
    environment = module_environment(hub.hub_json, module)
    connection = _UnixConnection(environment["IOTEDGE_WORKLOADURI"].removeprefix("unix://"))
    connection.putrequest(verb, path)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def test_sign_needs_neither_content_type_nor_the_right_generation(hub: HubProcess) -> None:
    body = json.dumps({"keyId": "primary", "algo": "HMACSHA256", "data": base64.b64encode(b"me\n123").decode()})
    status, answer = workload(hub, "a", "POST", "/modules/a/genid/any/sign?api-version=2018-06-28", body.encode())
    wanted = hmac.new(base64.b64decode(key_of(hub, "a")), b"me\n123", hashlib.sha256).digest()
    assert (status, answer) == (200, {"digest": base64.b64encode(wanted).decode()})


def test_a_socket_signs_for_its_own_module_only(hub: HubProcess) -> None:
    body = json.dumps({"data": base64.b64encode(b"x").decode()}).encode()
    _, asked_for_b = workload(hub, "a", "POST", "/modules/b/genid/1/sign?api-version=x", body)
    _, own = workload(hub, "a", "POST", "/modules/a/genid/1/sign?api-version=x", body)
    assert asked_for_b == own


def test_the_trust_bundle_is_the_authority_as_plain_pem(hub: HubProcess) -> None:
    status, answer = workload(hub, "a", "GET", "/trust-bundle?api-version=2020-07-07")
    assert status == 200
    assert answer["certificate"] == Path(hub.description["ca_file"]).read_text()


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"data":5}'])
def test_a_sign_request_without_data_is_400_and_hurts_nobody(hub: HubProcess, body: bytes) -> None:
    status, answer = workload(hub, "a", "POST", "/modules/a/genid/1/sign?api-version=x", body)
    assert status == 400
    assert "message" in answer


def test_routes_that_an_operator_wrote_to_the_twin_are_in_force_after_a_restart_too(tmp_path: Path) -> None:
    with running_hub(tmp_path, manifest(OUT)) as hub:
        change = {"routes": {"out": route("a/out", "c/in")}}
        hub.service().patch_twin("$edgeHub", {"properties": {"desired": change}})
        hub.restart()
        with wire(hub, "a") as a, wire(hub, "c", listen=True) as c:
            a.output("out", b"by the twin")
            assert c.message().payload == b"by the twin"


def test_each_module_can_have_its_workload_socket_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """As compose.yaml mounts them: a container that gets its own folder can't sign as another module."""
    folder = tmp_path / "workload"
    folder.mkdir()
    with running_hub(tmp_path / "hub", manifest(OUT), options=["--workload", str(folder)]) as hub:
        assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]
        assert hub.environment("a")["IOTEDGE_WORKLOADURI"] == f"unix://{folder}/a/workload.sock"
        assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o700
        with hub.sdk("a") as client:
            client.send_message_to_output("hello", "out")
        hub.stop()
        assert not [*folder.glob("*/*")]
        assert folder.is_dir()
