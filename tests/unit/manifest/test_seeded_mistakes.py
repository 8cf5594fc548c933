"""Twenty mistakes as device engineers make them in a manifest, one by one: each is found, at its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.manifest_draft import SYNTHETIC, Draft, found_in

Break = Callable[[Draft], Any]
FROM = "FROM /messages/modules"


def into(module: str, name: str) -> str:
    return f'INTO BrokeredEndpoint("/modules/{module}/inputs/{name}")'


def old_hub(draft: Draft) -> None:
    draft.agent["systemModules"]["edgeHub"]["settings"]["image"] = "mcr.microsoft.com/azureiotedge-hub:1.5.21"


def secret_without_its_mount(draft: Draft) -> None:
    del draft.host("camera")["Binds"]


def no_user(draft: Draft) -> None:
    del draft.options("sync")["User"]


def no_memory_limit(draft: Draft) -> None:
    del draft.host("sync")["Memory"]


def no_mount_of_frames(draft: Draft) -> None:
    draft.host("preprocess")["Mounts"] = [
        mount for mount in draft.host("preprocess")["Mounts"] if mount["Target"] != "/frames"
    ]


def frames_of_its_own(draft: Draft) -> None:
    draft.frames("viewer")["Source"] = "other-frames"


def too_many_cameras_for_the_memory(draft: Draft) -> None:
    for _ in range(8):
        draft.camera(slots=16)


# (what an operator did, the manifest after it, the rule that finds it, how bad it is)
MISTAKES: list[tuple[str, Break, str, str]] = [
    ("a secret without its mount", secret_without_its_mount, "secrets-not-mounted", "warning"),
    (
        "a laptop's folder as model.path",
        lambda d: d.desired("inference").update(model={"path": "/home/me/models/cups"}),
        "model-path",
        "error",
    ),
    ("User removed", no_user, "user-not-set", "warning"),
    ("an edgeHub past its support", old_hub, "runtime-end-of-life", "warning"),
    (
        "an image that does not exist for the hardware",
        lambda d: d.settings("inference").update(image="r.example.com/vigie-inference:0.1.0-arm64v8-openvino"),
        "image-does-not-exist",
        "error",
    ),
    (
        "a property misspelt",
        lambda d: d.desired("camera").update(cameras={"dock": {"source": SYNTHETIC, "fsp": 5}}),
        "twin-schema",
        "error",
    ),
    ("a value out of range", lambda d: d.desired("sync").update(batch_items=0), "twin-schema", "error"),
    (
        "a password in a source",
        lambda d: d.camera(source="rtsp://u:s3cret@192.0.2.1/s", slots=4),
        "camera-source",
        "error",
    ),
    (
        "a password in the environment",
        lambda d: d.modules["sync"]["env"].update(DB_PASSWORD={"value": "hunter2hunter2"}),
        "env-password",
        "warning",
    ),
    (
        "a route to a module that is not there",
        lambda d: d.route(
            "extra", 'FROM /messages/modules/sync/outputs/x INTO BrokeredEndpoint("/modules/alarm/inputs/x")'
        ),
        "route-unknown-target-module",
        "error",
    ),
    (
        "a route to an input that is not there",
        lambda d: d.route(
            "frames",
            'FROM /messages/modules/camera/outputs/frames INTO BrokeredEndpoint("/modules/preprocess/inputs/frame")',
        ),
        "route-unknown-input",
        "error",
    ),
    (
        "WHERE behind INTO",
        lambda d: d.route("telemetry", f"{FROM}/sync/outputs/telemetry INTO $upstream WHERE a = 1"),
        "route-text-after-into",
        "error",
    ),
    (
        "createOptions at the wrong level",
        lambda d: d.options("sync").update(Memory=1 << 28),
        "options-ignored",
        "error",
    ),
    ("memory as text", lambda d: d.host("sync").update(Memory="512m"), "memory-not-bytes", "error"),
    ("no memory limit", no_memory_limit, "memory-no-limit", "warning"),
    ("privileged", lambda d: d.host("inference").update(Privileged=True), "options-privileged", "warning"),
    (
        "the engine's socket mounted",
        lambda d: d.host("sync").update(Binds=["/var/run/docker.sock:/var/run/docker.sock"]),
        "isolation-engine-socket",
        "warning",
    ),
    ("frames not mounted in preprocess", no_mount_of_frames, "frames-missing", "error"),
    ("frames in two volumes", frames_of_its_own, "frames-not-shared", "error"),
    ("cameras that do not fit the frames volume", too_many_cameras_for_the_memory, "frames-too-small", "error"),
]


def test_there_are_twenty() -> None:
    assert len({name for name, *_ in MISTAKES}) == 20


@pytest.mark.parametrize(("make", "rule", "severity"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_seeded_mistake_is_found_with_its_remedy(make: Break, rule: str, severity: str) -> None:
    draft = Draft()
    assert rule not in {one.rule for one in found_in(draft)}
    make(draft)
    found = [one for one in found_in(draft) if one.rule == rule]
    assert found, "\n".join(map(str, found_in(draft)))
    assert found[0].severity == severity
    assert found[0].remedy
