"""deploy/fleet: 50 simulated devices go through the rings, targeted and layered by the local hub's own code.

Simulated: the devices (they decode the real desired properties and report the real ``update_state``, but run no model)
and the hub's five-minute round. Not simulated: target conditions, layers, metric queries, the gate.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vigie.config.desired import merge
from vigie_edgehub.deployments import Configuration, effective, target_of
from vigie_edgehub.manifest import parse_manifest
from vigie_edgehub.service.query import parse_query
from vigie_inference.config import InferenceConfig
from vigie_inference.update.report import UpdateState
from vigie_inference.update.wish import UpdateRequest, request_of

ROOT = Path(__file__).parents[3]
FLEET = ROOT / "deploy/fleet"
SPEC = importlib.util.spec_from_file_location("fleet_gate", FLEET / "gate.py")
gate = importlib.util.module_from_spec(SPEC)
sys.modules["fleet_gate"] = gate
SPEC.loader.exec_module(gate)

RINGS = [json.loads((FLEET / f"{name}.json").read_text()) for name in ("ring-0-canary", "ring-1-tenth", "ring-2-rest")]
PROMOTE_AT, FAILED_MAX = Fraction("0.9"), Fraction("0.02")


class Device:
    """One edge device; ``refuses``: versions that its own health gate takes back."""

    def __init__(self, number: int, ring: str, refuses: set[str]) -> None:
        self.twin: dict[str, Any] = {"deviceId": f"edge-{number:02}", "tags": {"vigie": {"ring": ring}}}
        self.refuses = refuses
        self.online = True
        self.asked: set[str] = set()
        self._seen = ""
        self.state = UpdateState()

    def take(self, desired: dict[str, Any]) -> None:
        wanted = request_of(msgspec.convert(desired, InferenceConfig))
        key = wanted.key if wanted else ""
        if not self.online or key == self._seen:
            return
        self._seen = key
        self.state = self._answer(wanted) if wanted else UpdateState()

    def _answer(self, wanted: UpdateRequest) -> UpdateState:
        release = wanted.release
        self.asked.add(release.version)
        return UpdateState(
            phase="rolled_back" if release.version in self.refuses else "committed",
            name=wanted.name,
            version=release.version,
            sha256=release.sha256,
            rollout=release.rollout.id,
        )

    @property
    def module_twin(self) -> dict[str, Any]:
        reported = {"update_state": msgspec.to_builtins(self.state)} if self.state != UpdateState() else {}
        return {**self.twin, "moduleId": "inference", "properties": {"reported": reported}}


class Fleet:
    """1 canary, 4 more in the tenth, 45 others, and the hub's configurations by id."""

    def __init__(self, refuses: dict[str, set[str]] | None = None) -> None:
        rings = ["canary", *["tenth"] * 4, *["rest"] * 45]
        self.devices = [Device(number, ring, (refuses or {}).get(ring, set())) for number, ring in enumerate(rings)]
        template = json.loads((ROOT / "deployment.template.json").read_text())
        base = merge(template, json.loads((FLEET / "base.json").read_text()))
        self.configurations = {
            "base": Configuration(id="base", content=base, target_condition="IS_DEFINED(tags.vigie.ring)", priority=10)
        }

    def put(self, ring: dict[str, Any]) -> None:
        self.configurations[ring["id"]] = msgspec.convert(ring, Configuration)
        self.round()

    def delete(self, ring: dict[str, Any]) -> None:
        del self.configurations[ring["id"]]
        self.round()

    def round(self) -> None:
        for device in self.devices:
            content = effective({}, self.configurations.values(), device.twin).content
            device.take(parse_manifest(content).desired["inference"])

    def counts(self, ring: dict[str, Any]) -> Any:
        read = gate.read_ring(ring)
        devices, states = (parse_query(query) for query in read.queries)
        answers = (
            devices.run([device.twin for device in self.devices]),
            states.run([device.module_twin for device in self.devices]),
        )
        return gate.count(read, *answers)

    def verdict(self, ring: dict[str, Any]) -> str:
        return str(gate.decide(self.counts(ring), PROMOTE_AT, FAILED_MAX))

    def serving(self) -> list[str]:
        return [device.state.version for device in self.devices]

    def metric(self, ring: dict[str, Any], name: str) -> int:
        query = parse_query(ring["metrics"]["queries"][name])
        return len(query.run([device.module_twin for device in self.devices]))


def rings_of(version: str, sha256: str, priority: int) -> list[dict[str, Any]]:
    """The shipped files for another release, changed as docs/model-updates.md tells."""
    rings = json.loads(json.dumps(RINGS).replace("conveyor-parts-2", f"conveyor-parts-{version}"))
    for ring in rings:
        ring["priority"] = priority
        release = ring["content"]["modulesContent"]["inference"]["properties.desired.models"]["conveyor-parts"]
        release.update(version=version, sha256=sha256)
    return rings


BAD = rings_of("3", "b" * 64, 21)


def test_a_good_release_goes_from_one_device_over_a_tenth_to_all_fifty() -> None:
    fleet = Fleet()
    reached = []
    for ring in RINGS:
        fleet.put(ring)
        counts = fleet.counts(ring)
        reached.append((counts.targeted, counts.committed, fleet.serving().count("2"), fleet.metric(ring, "committed")))
        assert fleet.verdict(ring) == "promote"
    assert reached == [(1, 1, 1, 1), (5, 5, 5, 5), (50, 50, 50, 50)]


def test_a_release_that_the_canary_takes_back_is_stopped_at_one_device() -> None:
    fleet = Fleet({"canary": {"3"}})
    fleet.put(RINGS[2])
    fleet.put(BAD[0])
    assert fleet.verdict(BAD[0]) == "stop"
    assert sum("3" in device.asked for device in fleet.devices) == 1


def test_a_release_that_fails_in_the_second_ring_is_stopped_there_and_the_former_release_serves_again() -> None:
    fleet = Fleet({"tenth": {"3"}})
    fleet.put(RINGS[2])
    fleet.put(BAD[0])
    assert fleet.verdict(BAD[0]) == "promote"
    fleet.put(BAD[1])
    assert (fleet.metric(BAD[1], "committed"), fleet.metric(BAD[1], "rolled_back")) == (1, 4)
    assert fleet.verdict(BAD[1]) == "stop"
    fleet.delete(BAD[1])
    assert fleet.serving() == ["2"] * 50
    assert sum("3" in device.asked for device in fleet.devices) == 5


def test_without_any_layer_the_base_takes_the_model_of_the_release_away_again() -> None:
    fleet = Fleet()
    fleet.put(RINGS[2])
    fleet.delete(RINGS[2])
    assert fleet.serving() == [""] * 50


def test_a_ring_whose_devices_are_away_is_held_until_they_answer() -> None:
    fleet = Fleet()
    for device in fleet.devices[5:15]:
        device.online = False
    for ring in RINGS:
        fleet.put(ring)
    assert fleet.verdict(RINGS[2]) == "hold"
    for device in fleet.devices[5:10]:
        device.online = True
    fleet.round()
    assert fleet.verdict(RINGS[2]) == "promote"  # 45 of 50 is 0.9


def test_a_state_of_the_former_release_does_not_promote_the_next_one() -> None:
    fleet = Fleet()
    fleet.put(RINGS[2])
    assert fleet.counts(BAD[2]) == gate.RingCounts(50, 0, 0)
    same_id = rings_of("2", "b" * 64, 21)[2]
    assert fleet.counts(same_id) == gate.RingCounts(50, 0, 0)


def test_the_three_files_differ_in_their_target_condition_only_and_keep_to_the_hubs_limits() -> None:
    without = [{key: value for key, value in ring.items() if key != "targetCondition"} for ring in RINGS]
    assert without[0] == without[1] == without[2]
    assert len(RINGS[0]["metrics"]["queries"]) <= 5
    in_rings = [
        {
            name
            for name in ("canary", "tenth", "rest")
            if target_of(r["targetCondition"])({"tags": {"vigie": {"ring": name}}})
        }
        for r in RINGS
    ]
    assert in_rings == [{"canary"}, {"canary", "tenth"}, {"canary", "tenth", "rest"}]
    rollout = gate.read_ring(RINGS[0]).rollout
    assert all(f"update_state.rollout = '{rollout}'" in query for query in RINGS[0]["metrics"]["queries"].values())


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        pytest.param((0, 0, 0), "hold", id="no device"),
        pytest.param((1, 0, 0), "hold", id="no answer yet"),
        pytest.param((50, 44, 0), "hold", id="one short"),
        pytest.param((50, 45, 1), "promote", id="both at the bound"),
        pytest.param((50, 48, 2), "stop", id="enough committed, too many failed"),
        pytest.param((50, 0, 2), "stop", id="failed before the others answered"),
    ],
)
def test_promote_hold_or_stop(counts: tuple[int, int, int], verdict: str) -> None:
    assert gate.decide(gate.RingCounts(*counts), PROMOTE_AT, FAILED_MAX) == verdict


def ring_state(**changes: str) -> list[dict[str, Any]]:
    read = gate.read_ring(RINGS[0])
    state = {"rollout": read.rollout, "sha256": read.sha256, "phase": "committed", **changes}
    return [{"deviceId": "a", "update_state": state}]


@pytest.mark.parametrize(
    ("states", "code", "text"),
    [
        pytest.param(ring_state(), 0, "promote: conveyor-parts-2: 1 of 1 committed", id="promote"),
        pytest.param([], 3, "hold", id="hold"),
        pytest.param(ring_state(phase="rejected"), 4, "stop", id="stop"),
        pytest.param(ring_state(phase="comitted"), 2, "phase 'comitted'", id="unknown phase"),
        pytest.param(ring_state() * 2, 2, "'a' is listed twice", id="twice"),
        pytest.param({"items": []}, 2, "expected the list", id="no list"),
        pytest.param([{"update_state": {}}], 2, "deviceId", id="no device id"),
    ],
)
def test_only_a_promotion_exits_with_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], states: Any, code: int, text: str
) -> None:
    (tmp_path / "d.json").write_text('[{"deviceId": "a"}]')
    (tmp_path / "s.json").write_text(json.dumps(states))
    files = ["--devices", str(tmp_path / "d.json"), "--states", str(tmp_path / "s.json")]
    try:
        found = gate.main([str(FLEET / "ring-0-canary.json"), *files])
    except SystemExit as ended:
        found = ended.code
    said = capsys.readouterr()
    assert found == code
    assert text in said.out + said.err


def test_a_ring_file_without_a_rollout_id_is_refused() -> None:
    ring = copy.deepcopy(RINGS[0])
    ring["content"]["modulesContent"]["inference"]["properties.desired.models"]["conveyor-parts"]["rollout"]["id"] = ""
    with pytest.raises(gate.GateInputError, match=r"rollout\.id"):
        gate.read_ring(ring)


def test_a_ring_file_whose_metrics_count_another_rollout_is_refused() -> None:
    ring = copy.deepcopy(RINGS[0])
    query = ring["metrics"]["queries"]["rejected"]
    ring["metrics"]["queries"]["rejected"] = query.replace("conveyor-parts-2", "conveyor-parts-1")
    with pytest.raises(gate.GateInputError, match="metric 'rejected'"):
        gate.read_ring(ring)
