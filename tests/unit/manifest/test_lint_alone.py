"""Rules of the lint that take more than one broken manifest to show."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path

import pytest

from support.broken_sites import (
    camera_password,
    password_by_name,
    password_by_value,
    password_in_a_url,
    runtime_old,
)
from support.manifest_draft import SYNTHETIC, TEMPLATE, Draft, found_in
from vigie_devkit.manifest.lint import Assumptions, Severity, lint


def test_a_dead_end_of_the_flow_is_found_for_every_route_that_is_taken_away() -> None:
    for name in TEMPLATE["modulesContent"]["$edgeHub"]["properties.desired"]["routes"]:
        draft = Draft()
        del draft.hub["routes"][name]
        # An output with several receivers goes on with the others.
        several = name == "alerts" or name.startswith(("demandTo", "creditFromViewer"))
        expected = set() if several else {"route-dead-output"}
        assert expected <= {found.rule for found in found_in(draft)}, name


def test_a_secret_of_a_camera_is_no_placeholder_that_was_left() -> None:
    draft = Draft()
    draft.camera(source="rtsp://u:${DOCK_PASSWORD}@192.0.2.1/s", slots=4)
    draft.rendered()
    assert {found.rule for found in found_in(draft)} <= {"frames-assumed", "disk-need", "twin-of-the-operator"}


def test_the_password_of_a_camera_is_never_repeated() -> None:
    draft = Draft()
    camera_password(draft)
    assert "s3cret" not in "".join(map(str, found_in(draft)))


def test_a_password_in_the_environment_is_never_repeated() -> None:
    for breaks in (password_by_name, password_by_value, password_in_a_url):
        draft = Draft()
        breaks(draft)
        text = "".join(map(str, found_in(draft)))
        assert "env-password" in text
        assert not {word for word in ("hunter2", "aHVudGVyMg") if word in text}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("TOKEN", "/run/secrets/token"),
        ("COMPASS", "north"),
        ("PASSENGERS", "12"),
        ("PROXY", "http://proxy:3128"),
        ("STORE", "https://store.example.com/?version=3"),
        ("PROXY", "http://me:${PROXY_PASSWORD}@proxy:3128"),
        ("BYPASS_LIST", "10.0.0.0/8"),
    ],
)
def test_a_variable_that_holds_no_password_is_left_alone(name: str, value: str) -> None:
    draft = Draft()
    draft.modules["sync"]["env"][name] = {"value": value}
    assert "env-password" not in {one.rule for one in found_in(draft)}


def test_ring_arithmetic_is_the_ring_writers_own(tmp_path: Path) -> None:
    from vigie.frames import RingWriter
    from vigie_devkit.manifest.lint.cameras import CameraPlan

    plan = CameraPlan("c", (320, 240), 30.0, 4, shared=True, assumed=False)
    with RingWriter.open(tmp_path, "c", slot_bytes=320 * 240 * 3, slots=4):
        assert sum(path.stat().st_size for path in tmp_path.glob("*.ring")) == plan.ring_bytes


def test_cameras_that_send_pixels_inline_take_no_shared_memory() -> None:
    draft = Draft()
    for _ in range(5):
        draft.camera(transport="inline")
    assert "frames-too-small" not in {found.rule for found in found_in(draft)}


def test_a_manifest_from_before_users_of_their_own_is_not_refused() -> None:
    """One user, tensors beside the frames, both in a volume of that user: as devices in the field have it."""
    draft = Draft()
    for name in draft.modules:
        draft.options(name)["User"] = "1250:1250"
        draft.modules[name]["env"].pop("VIGIE_TENSORS", None)
        mounts = [mount for mount in draft.host(name)["Mounts"] if mount["Target"] != "/tensors"]
        draft.host(name)["Mounts"] = mounts
        draft.signals(name)["VolumeOptions"]["DriverConfig"]["Options"]["o"] = "size=4m,uid=1250,gid=1250,mode=2770"
    frames = copy.deepcopy(draft.frames("camera"))
    frames["VolumeOptions"]["DriverConfig"]["Options"]["o"] = "size=256m,uid=1250,gid=1250,mode=0770"
    for name in ("camera", "preprocess", "inference", "viewer"):
        others = [mount for mount in draft.host(name)["Mounts"] if mount["Target"] != "/frames"]
        reads = {"ReadOnly": True} if name in {"inference", "viewer"} else {}
        draft.host(name)["Mounts"] = [*others, {**frames, **reads}]
        draft.modules[name]["env"]["VIGIE_FRAMES"] = {"value": "/frames"}
    assert {(one.rule, one.severity) for one in found_in(draft)} == {("user-shared", Severity.WARNING)}


@pytest.mark.parametrize(("disk_gb", "severity"), [(1, Severity.ERROR), (1000, Severity.HINT)])
def test_the_disk_an_outage_takes_is_compared_where_it_is_known(disk_gb: int, severity: Severity) -> None:
    draft = Draft()
    draft.camera()
    found = [one for one in found_in(draft, Assumptions(disk_bytes=disk_gb * 10**9)) if one.rule == "disk-need"]
    assert [one.severity for one in found] == [severity]


def test_somebody_elses_module_is_held_to_no_schema_of_ours() -> None:
    draft = Draft()
    draft.settings("sync")["image"] = "r.example.com/theirs:1.0"
    draft.desired("sync")["anything"] = {"goes": [1, 2]}
    assert not {one.rule for one in found_in(draft)} & {"twin-schema", "frames-missing"}


def test_renamed_modules_are_known_by_their_image() -> None:
    draft = Draft()
    draft.modules["lookout"] = draft.modules.pop("camera")
    draft.desired("lookout").update({"cameras": {"dock": {"source": SYNTHETIC, "fsp": 1}}})
    assert "$.modulesContent.lookout.properties.desired.cameras.dock.fsp" in {one.path for one in found_in(draft)}


def test_a_release_is_past_its_end_from_the_day_after_on() -> None:
    draft = Draft()
    runtime_old(draft)
    rules = [
        {one.rule for one in found_in(draft, Assumptions(today=day))}
        for day in (date(2026, 11, 10), date(2026, 11, 11))
    ]
    assert ["runtime-end-of-life" in found for found in rules] == [False, True]
    assert not {one.rule for one in lint(TEMPLATE, Assumptions(today=date(2028, 11, 14)))} & {"runtime-end-of-life"}


def test_desired_properties_of_a_device_are_counted_as_if_the_manifest_set_them() -> None:
    cameras = {f"c{n}": {"source": SYNTHETIC} for n in range(6)}
    found = lint(TEMPLATE, Assumptions(twins={"camera": {"cameras": cameras}}))
    assert {one.rule for one in found} >= {"frames-too-small", "disk-need"}
    assert "twin-of-the-operator" not in {one.rule for one in found}


def test_numbers_without_end_are_findings_and_no_crash() -> None:
    digits = "9" * 5000
    draft = Draft()
    draft.host("sync")["PortBindings"] = {f"{digits}/tcp": [{"HostIp": "127.0.0.1", "HostPort": digits}]}
    draft.settings("sync")["image"] = f"r.example.com/vigie-sync:{digits}.0.0-amd64"
    assert [one.rule for one in found_in(draft)][-2:] == ["options-port-form"] * 2


@pytest.mark.parametrize(
    ("binding", "page", "found"),
    [
        ({"HostPort": "8710"}, {}, True),
        ({"HostIp": "0.0.0.0", "HostPort": "443"}, {}, True),
        ({"HostIp": "192.168.10.4", "HostPort": "8710"}, {}, False),
        ({"HostPort": "8710"}, {"VIGIE_PAGE_TLS": "/run/secrets/page.pem,/run/secrets/page.key"}, False),
        ({"HostPort": "8710"}, {"VIGIE_PAGE": "0.0.0.0:9000"}, False),
    ],
    ids=["no address", "every address", "one network", "encrypted", "another port"],
)
def test_the_page_is_for_one_network_or_encrypted(binding: dict[str, str], page: dict[str, str], found: bool) -> None:
    draft = Draft()
    draft.host("viewer")["PortBindings"] = {"8710/tcp": [binding]}
    draft.modules["viewer"]["env"] |= {name: {"value": value} for name, value in page.items()}
    rules = [one.rule for one in found_in(draft)]
    assert ("page-on-every-address" in rules) is found
