"""Faults of containers: what is tried, what an engine cannot, what its events say, whose leftovers are whose."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from vigie_devkit.cli import main
from vigie_devkit.faults.ability import Ability
from vigie_devkit.faults.composed import FRAMES_VOLUME, SERVICES, ComposedSystem, Images, small_volumes
from vigie_devkit.faults.composed_orphans import is_orphan, project_name
from vigie_devkit.faults.container_signs import EngineReports, LedgerIsKept
from vigie_devkit.faults.engine_abilities import missing_abilities, split
from vigie_devkit.faults.engine_events import in_words
from vigie_devkit.faults.page import CONTAINERS, made_by, marks, put_into, table
from vigie_devkit.faults.registry import all_container_faults, all_faults
from vigie_devkit.faults.trial import Result
from vigie_devkit.images.catalogue import host_key
from vigie_devkit.images.compose import COMPOSE_FILE
from vigie_devkit.images.engine import ContainerEngine

_DAY = date(2026, 11, 29)


def test_there_are_many_faults_of_containers_and_each_is_told_apart() -> None:
    faults = all_container_faults()
    assert len(faults) >= 15
    assert {"kill-hub", "kill-everything", "pause-sync", "cut-sync", "down-up", "read-only-roots"} <= set(faults)
    assert len({one.what for one in faults.values()}) == len(faults)
    assert all(0 < one.back_within_s <= 180 for one in faults.values())
    setups = [one.setup.name for one in faults.values()]
    assert len(set(setups)) == len([name for at, name in enumerate(setups) if name not in setups[:at]])


def test_what_the_engine_cannot_is_left_out_and_told_with_the_faults_it_costs() -> None:
    faults = list(all_container_faults().values())
    possible, sentences = split(faults, {Ability.PAUSE: "cgroups: freezer is missing"})
    left_out = {one.name for one in faults} - {one.name for one in possible}
    assert left_out == {name for name in all_container_faults() if name.startswith("pause-")}
    [sentence] = sentences
    assert sentence.startswith("this engine cannot pause a container; not tried: pause-camera, pause-inference")
    assert "freezer is missing" in sentence
    assert split(possible, {Ability.PAUSE: "x"}) == (possible, []), "nothing that was asked for is missing"
    assert split(faults, {}) == (faults, [])


# An engine that answers what is asked for and has no freezer and no way to change a limit.
LACKING = """
case "$1" in
  pause) echo "Error response from daemon: freezer not available" >&2; exit 1 ;;
  inspect) echo '[{"HostConfig": {"Memory": 67108864}, "State": {"Pid": 7}}]' ;;
  run) case "$*" in *time.monotonic*) python3 -c "import time; print(time.monotonic())" ;; esac ;;
esac
"""


def test_each_ability_is_tried_and_the_engines_own_words_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    path.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n{LACKING}')
    path.chmod(0o755)
    missing = missing_abilities(ContainerEngine(str(path), dict(os.environ)), "an-image")
    assert set(missing) == {Ability.PAUSE, Ability.MEMORY}
    assert "freezer not available" in missing[Ability.PAUSE]
    assert "67108864 bytes" in missing[Ability.MEMORY]
    asked = (tmp_path / "asked").read_text()
    name = f"vigie-faults-probe-{os.getpid()}"
    for left in (f"rm --force {name}", f"network rm {name}", f"volume rm --force {name}"):
        assert left in asked


@pytest.mark.parametrize(
    ("action", "attributes", "words"),
    [
        ("die", {"exitCode": "137"}, "sync die exitCode=137"),
        ("oom", {}, "sync oom"),
        ("health_status: unhealthy", {}, "sync health_status: unhealthy"),
        ("exec_create: python -c x", {}, ""),
        ("attach", {}, ""),
    ],
)
def test_events_of_the_engine_are_told_and_its_housekeeping_is_not(
    action: str, attributes: dict[str, str], words: str
) -> None:
    told = {"com.docker.compose.service": "sync", **attributes}
    assert in_words({"Action": action, "Actor": {"Attributes": told}}) == words


class Seen:
    """What a sign looks at: the record, and the engine's events."""

    def __init__(self) -> None:
        self.text, self.messages = "", list[tuple[int, str, bytes]]()

    def arrived(self, after: int) -> Any:
        return iter([one for one in self.messages if one[0] > after])

    def close(self) -> None: ...

    def send(self, ledger: str, *traces: str) -> None:
        body = {"boot": ledger, "sent": 1, "items": [{"trace": trace} for trace in traces]}
        self.messages.append((len(self.messages) + 1, "sync", json.dumps(body).encode()))


def system(seen: Seen) -> ComposedSystem:
    return ComposedSystem(compose=None, seed=1, bystander=seen, events=seen)  # type: ignore[arg-type]  # looks only


def test_an_event_counts_from_the_fault_on_and_as_a_whole() -> None:
    seen = Seen()
    seen.text = "sync oom\n"
    sign = EngineReports("sync", "oom")
    before = sign.begin(system(seen))
    assert not sign.seen(system(seen), before)
    seen.text += "camera oom\nsync oom_score\n"
    assert not sign.seen(system(seen), before)
    seen.text += "sync oom\n"
    assert sign.seen(system(seen), before)


def test_a_ledger_is_kept_if_all_that_was_recorded_comes_from_the_same_one() -> None:
    seen = Seen()
    seen.send("aa", "c-1")
    watched, sign = system(seen), LedgerIsKept()
    before = sign.begin(watched)
    assert not sign.seen(watched, before), "nothing was recorded: nothing is shown"
    watched.recorded |= {"c-2", "c-3"}
    seen.send("aa", "c-2")
    assert not sign.seen(watched, before)
    seen.send("aa", "c-3", "c-4")
    assert sign.seen(watched, before)
    seen.send("bb", "c-5")
    assert not sign.seen(watched, before), "another ledger sends"


def test_only_what_a_dead_process_of_this_machine_left_is_an_orphan() -> None:
    ours = project_name(os.getpid())
    host = ours.split("-")[2]
    assert not is_orphan(ours)
    assert is_orphan(f"vigie-faults-{host}-{os.getpid()}-1"), "this pid, of another process"
    assert not is_orphan(f"vigie-faults-{'0' * 8}-{os.getpid()}-1"), "of another machine, or container"
    assert not is_orphan("vigie-faults")
    assert not is_orphan("vigie-under-test-test-compose")


def test_services_and_volumes_are_those_of_compose_yaml_and_the_images_are_what_it_asks_for() -> None:
    composed = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    assert set(SERVICES) <= set(composed["services"])
    small = {name for one in all_container_faults().values() for name, _ in one.setup.tmpfs}
    assert small | {FRAMES_VOLUME} <= set(composed["volumes"])
    images = Images(tag="t7", registry="r.example.com")
    asked = composed["services"]["sync"]["image"]
    for name, value in images.environment().items():
        asked = asked.replace(f"${{{name}:-}}", value)
        asked = asked.replace(f"${{{name}:-0.1.0}}", value).replace(f"${{{name}:-amd64}}", value)
    assert asked == images.of("sync") == f"r.example.com/vigie-sync:t7-{host_key()}"


def test_a_small_volume_has_its_size_and_belongs_to_its_module() -> None:
    made = yaml.safe_load(small_volumes([("vigie-sync", 1 << 20)]))
    assert made["volumes"]["vigie-sync"]["driver_opts"]["o"] == "size=1048576,uid=1254,gid=1250,mode=0770"


def test_the_table_of_containers_has_marks_of_its_own_and_names_what_was_not_tried() -> None:
    made = table(
        all_container_faults(), [Result("kill-hub", back_s=3.0)], made_by("c", "m", _DAY), ["this engine cannot x"]
    )
    begin, end = marks(CONTAINERS)
    page = put_into(f"<!-- faults: begin -->\nkept\n<!-- faults: end -->\n{begin}\nold\n{end}\n", made, CONTAINERS)
    assert "kept\n" in page
    assert "old" not in page
    assert "This engine cannot x." in page


def test_the_command_lists_the_faults_of_containers_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--containers", "--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(all_container_faults())
    assert "cut-inference" not in all_faults()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--containers", "--only", "cut-everything"],
            "see: ./vigie faults --containers --list",
        ),
        (["--only", "cut-inference"], "there is no fault 'cut-inference'"),
        (["--containers", "--kills", "3"], "--kills kills processes"),
        (["--tag", "t"], "--tag and --registry name images"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["faults", *words]) == 2
    assert told in capsys.readouterr().err
