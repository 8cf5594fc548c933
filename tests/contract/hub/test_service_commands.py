"""`vigie hub|twin|method|upstream` against a hub that `vigie hub run` started, with a module booted by `hub env`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.service_side import DEADLINE_S, manifest, wait_until

VIGIE = [sys.executable, "-m", "vigie_devkit"]

MODULE = textwrap.dedent(
    """
    import json, threading
    from azure.iot.device import IoTHubModuleClient, Message, MethodResponse

    client = IoTHubModuleClient.create_from_edge_environment()

    def changed(patch):
        value, version = patch["threshold"], patch["$version"]
        code = 200 if value < 100 else 400
        client.patch_twin_reported_properties({"threshold": {"value": value, "ac": code, "av": version}})

    def asked(request):
        status = 200 if request.name in {"echo", "send"} else 404
        if request.name == "send":
            client.send_message_to_output(Message("waits"), "out")
            client.send_message_to_output(Message("x"), "nowhere")
        client.send_method_response(MethodResponse.create_from_method_request(request, status, request.payload))

    client.on_twin_desired_properties_patch_received = changed
    client.on_method_request_received = asked
    client.connect()
    message = Message(json.dumps({"hello": "upstream"}))
    message.content_type, message.content_encoding = "application/json", "utf-8"
    client.send_message_to_output(message, "out")
    print("ready", flush=True)
    threading.Event().wait()
    """
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    content = manifest("filter", "other", routes={"up": "FROM /messages/modules/filter/outputs/out INTO $upstream"})
    (folder / "manifest.json").write_text(json.dumps(content))
    (folder / "module.py").write_text(MODULE)
    return folder


@pytest.fixture(scope="module")
def vigie(folder: Path) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command in that folder; gives (exit code, stdout, stderr)."""
    environment = os.environ | {"VIGIE_HOME": str(folder / "home")}

    def run(*words: Any, stdin: str = "") -> tuple[Any, ...]:
        done = subprocess.run(
            [*VIGIE, *words],
            check=False,
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    log = (folder / "hub.log").open("ab")
    hub = subprocess.Popen(
        [*VIGIE, "hub", "run", "--manifest", "manifest.json"], cwd=folder, env=environment, stderr=log
    )
    wait_until(lambda: (folder / "home/hub/hub.json").exists() or hub.poll() is not None)
    assert hub.poll() is None, (folder / "hub.log").read_text()
    yield run
    hub.send_signal(signal.SIGINT)
    assert hub.wait(DEADLINE_S) in {0, 130, -signal.SIGINT}


@pytest.fixture(scope="module")
def module(vigie: Callable[..., tuple[int, str, str]], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that knows nothing but the environment that `hub env` printed to a shell."""
    code, exports, error = vigie("hub", "env", "filter")
    assert code == 0, error
    (folder / "env.sh").write_text(exports)
    process = subprocess.Popen(
        ["bash", "-c", f". ./env.sh && exec {sys.executable} module.py"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait(DEADLINE_S)


def test_status_names_who_is_connected(
    vigie: Callable[..., tuple[int, str, str]], module: subprocess.Popen[str]
) -> None:
    code, out, _ = vigie("hub", "status")
    assert code == 0
    assert "  connected     filter" in out
    assert "  disconnected  other" in out
    assert json.loads(vigie("hub", "status", "--json")[1])["modules"]["filter"]["connected"] is True


def test_twin_set_waits_for_the_acknowledgement_and_its_code_is_the_exit_code(
    vigie: Callable[..., tuple[int, str, str]], module: subprocess.Popen[str]
) -> None:
    code, out, error = vigie("twin", "set", "filter", '{"threshold": 30}', "--wait", "20")
    assert (code, json.loads(out)["$.threshold"]["ac"]) == (0, 200), error
    code, out, _ = vigie("twin", "set", "filter", "--wait", "20", stdin='{"threshold": 300}')
    assert (code, json.loads(out)["$.threshold"]["ac"]) == (1, 400)
    code, out, _ = vigie("twin", "get", "filter", "--reported")
    assert json.loads(out)["threshold"]["value"] == 300


def test_twin_set_says_when_nobody_acknowledges(vigie: Callable[..., tuple[int, str, str]]) -> None:
    code, out, error = vigie("twin", "set", "other", '{"x": 1}', "--wait", "0.3")
    assert (code, out) == (1, "")
    assert "other did not acknowledge version" in error


def test_twin_set_with_an_old_etag_is_refused(vigie: Callable[..., tuple[int, str, str]]) -> None:
    code, _, error = vigie("twin", "set", "other", '{"x": 2}', "--etag", "b2xk")
    assert code == 1
    assert "etag" in error.lower()


def test_method_prints_the_reply_and_its_status_decides_the_exit_code(
    vigie: Callable[..., tuple[int, str, str]], module: subprocess.Popen[str]
) -> None:
    assert vigie("method", "filter", "echo", '{"n": 1.50}')[:2] == (0, '{"n": 1.5}\n')
    code, _, error = vigie("method", "filter", "unknown")
    assert (code, "filter.unknown answered status 404" in error) == (1, True)
    code, _, error = vigie("method", "other", "echo")
    assert (code, error.count("\n")) == (1, 1)
    assert vigie("method", "filter", "echo", "{")[0] == 2


def test_upstream_shows_what_the_module_sent(
    vigie: Callable[..., tuple[int, str, str]], module: subprocess.Popen[str]
) -> None:
    wait_until(lambda: "hello" in vigie("upstream", "tail")[1])
    line = json.loads(vigie("upstream", "export")[1].splitlines()[0])
    assert (line["module"], line["body"]) == ("filter", {"hello": "upstream"})


@pytest.mark.parametrize("form", ["--dotenv", "--json"])
def test_the_environment_is_printed_for_ides_and_programs(
    vigie: Callable[..., tuple[int, str, str]], form: str
) -> None:
    _, out, _ = vigie("hub", "env", "filter", form)
    environment = json.loads(out) if form == "--json" else dict(line.split("=", 1) for line in out.splitlines())
    assert environment["IOTEDGE_MODULEID"] == "filter"
    assert environment["IOTEDGE_WORKLOADURI"].startswith("unix:///")


def test_a_connection_string_boots_a_process_without_the_workload_socket(
    vigie: Callable[..., tuple[int, str, str]], folder: Path
) -> None:
    _, out, _ = vigie("hub", "env", "other", "--connection-string", "--json")
    (folder / "other.py").write_text(
        textwrap.dedent(
            """
            from azure.iot.device import IoTHubModuleClient

            client = IoTHubModuleClient.create_from_edge_environment()
            client.connect()
            print(client.get_twin()["desired"]["$version"] > 0)
            client.shutdown()
            """
        )
    )
    environment = os.environ | json.loads(out)
    program = [sys.executable, folder / "other.py"]
    done = subprocess.run(program, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n", done.stderr


def test_an_unknown_module_has_no_environment(vigie: Callable[..., tuple[int, str, str]]) -> None:
    code, _, error = vigie("hub", "env", "nobody")
    assert code == 2
    assert "knows no module 'nobody'" in error


def test_misbehave_changes_reports_and_resets(
    vigie: Callable[..., tuple[int, str, str]], module: subprocess.Popen[str]
) -> None:
    assert "upstream_online=False" in vigie("hub", "misbehave", "--upstream", "offline", "--jitter", "0.2")[1]
    assert vigie("method", "filter", "send")[0] == 0
    status = vigie("hub", "status")[1]
    assert "misbehaves: upstream_online=False, jitter=0.2" in status
    assert "waiting: 1 for $upstream" in status
    assert "not at all" in vigie("hub", "misbehave", "--reset")[1]
    assert vigie("hub", "misbehave", "--jitter", "7")[0] == 1


def test_apply_takes_a_changed_manifest_and_refuses_a_bad_one(
    vigie: Callable[..., tuple[int, str, str]], folder: Path
) -> None:
    good = manifest("filter", "other", "third", routes={"up": "FROM /messages/modules/filter INTO $upstream"})
    (folder / "good.json").write_text(json.dumps(good))
    (folder / "bad.json").write_text(json.dumps(manifest("filter", routes={"r": "FORM / INTO $upstream"})))
    assert vigie("hub", "apply", "good.json")[0] == 0
    assert "third" in vigie("hub", "status")[1]
    code, _, error = vigie("hub", "apply", "bad.json")
    assert code == 1
    assert "the old manifest stays in force" in error
    assert "third" in vigie("hub", "status")[1]
