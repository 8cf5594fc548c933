"""`./vigie hub send` and `./vigie hub watch` against a running hub."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from support.hub import HubProcess, Inbox, manifest, running_hub
from vigie_devkit.cli import main


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    routes = {"a": "FROM /messages/modules/a/outputs/o INTO BrokeredEndpoint('/modules/b/inputs/in')"}
    with running_hub(tmp_path_factory.mktemp("by-hand"), manifest(routes, modules=["a", "b"])) as hub:
        yield hub


def vigie(hub: HubProcess, *words: str) -> int:
    return main(["hub", *words, "--state", str(hub.state)])


def test_a_message_goes_straight_into_an_input_with_its_properties(hub: HubProcess) -> None:
    inbox = Inbox()
    with hub.sdk("b", inbox):
        assert vigie(hub, "send", "b", "other", '{"x": 1}', "--property", "level=high") == 0
        message = inbox.wait_for(1)[0]
    assert (message.data, message.input_name) == (b'{"x": 1}', "other")
    assert message.custom_properties["level"] == "high"
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")


def test_a_message_sent_as_a_module_goes_where_its_routes_lead_and_watch_shows_it(hub: HubProcess) -> None:
    inbox, seen = Inbox(), []

    def watch() -> None:
        for record in hub.service().watch("a", "o"):
            seen.append(json.loads(bytes(record.body)))
            return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with hub.sdk("b", inbox):
        for n in range(200):  # the watcher may not have begun with the first
            assert vigie(hub, "send", "--as", "a", "o", json.dumps({"n": n})) == 0
            watcher.join(0.1)
            if not watcher.is_alive():
                break
        first = inbox.wait_for(1)[0]
    assert seen
    assert first.input_name == "in"
    assert first.custom_properties["$.cmid"] == "a"


def test_a_message_that_no_route_takes_is_said(hub: HubProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert vigie(hub, "send", "--as", "a", "nowhere", "{}") == 1
    assert "no route takes output 'nowhere' of module 'a'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["send", "nobody", "in", "{}"], "'nobody'"),
        (["send", "{}"], "name the module and its input"),
        (["send", "b", "in", "{}", "--as", "a", "o"], "leave out 'b'"),
        (["send", "b", "in", "{}", "--property", "x"], "NAME=VALUE"),
        (["send", "b", "in", "x" * 262_145], "larger than 262144"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(
    hub: HubProcess, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    assert vigie(hub, *words) != 0
    assert text in capsys.readouterr().err
