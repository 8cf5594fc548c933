"""The manifests for inference servers: every field is one that Kubernetes knows, and the parts fit one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from support.kubernetes import KINDS, Deployment, NetworkPolicy, Service

FOLDER = Path(__file__).parents[3] / "deploy/kubernetes"
EACH = pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)


def objects(text: str) -> list[Any]:
    return [msgspec.convert(one, KINDS[one["kind"]]) for one in yaml.safe_load_all(text)]


def test_there_is_one_for_each_server_that_models_export_knows() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == {"triton", "ovms"}


@EACH
def test_the_parts_fit_one_another(file: Path) -> None:
    deployment, service, policy = objects(file.read_text())
    assert isinstance(deployment, Deployment)
    assert isinstance(service, Service)
    assert isinstance(policy, NetworkPolicy)
    pods = deployment.spec.template.metadata.labels.items()
    for selected in (
        deployment.spec.selector.match_labels, service.spec.selector, policy.spec.pod_selector.match_labels
    ):  # fmt: skip
        assert selected.items() <= pods
    [container] = deployment.spec.template.spec.containers
    ports = {port.name: port.container_port for port in container.ports}
    assert {port.name: port.port for port in service.spec.ports} == ports
    assert {port.target_port for port in service.spec.ports} == ports.keys()
    assert {port.port for rule in policy.spec.ingress for port in rule.ports} == set(ports.values())
    volumes = {volume.name for volume in deployment.spec.template.spec.volumes}
    assert {mount.name for mount in container.volume_mounts} == volumes
    assert all(str(number) in " ".join(container.args) for number in ports.values())


@EACH
def test_the_server_has_no_rights_that_it_does_not_need(file: Path) -> None:
    deployment = objects(file.read_text())[0]
    pod, [container] = deployment.spec.template.spec, deployment.spec.template.spec.containers
    assert pod.security_context.run_as_non_root
    assert not pod.automount_service_account_token
    assert container.security_context.read_only_root_filesystem
    assert not container.security_context.allow_privilege_escalation
    assert container.security_context.capabilities.drop == ["ALL"]
    assert next(mount for mount in container.volume_mounts if mount.mount_path == "/models").read_only
    assert not container.image.endswith(":latest")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("readOnlyRootFilesystem", "readonlyRootFilesystem", "unknown field `readonlyRootFilesystem`"),
        ("containerPort: 8000", "containerPort: 80000", "<= 65535"),
        ("apiVersion: apps/v1", "apiVersion: apps/v2", "apps/v2"),
        ("  replicas: 1\n", "", "missing required field `replicas`"),
    ],
)
def test_a_mistake_in_a_manifest_is_found(old: str, new: str, said: str) -> None:
    text = (FOLDER / "triton.yaml").read_text()
    assert old in text
    with pytest.raises(msgspec.ValidationError, match=said):
        objects(text.replace(old, new))


def places(node: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each key below ``node``."""
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, below in steps:
        if isinstance(node, dict):
            yield (*at, key)
        yield from places(below, (*at, key))


def changed(node: Any, place: tuple[Any, ...], change: Callable[[dict[str, Any], str], None]) -> Any:
    copy = deepcopy(node)
    holder = copy
    for key in place[:-1]:
        holder = holder[key]
    change(holder, place[-1])
    return copy


def misspell(holder: dict[str, Any], key: str) -> None:
    holder[f"{key}X"] = holder.pop(key)


def of_another_type(holder: dict[str, Any], key: str) -> None:
    holder[key] = [[1]]


@EACH
@pytest.mark.parametrize("change", [misspell, of_another_type], ids=["misspelt", "of another type"])
def test_each_field_is_checked(file: Path, change: Callable[[dict[str, Any], str], None]) -> None:
    missed = []
    for one in yaml.safe_load_all(file.read_text()):
        for place in places(one):
            of_a_label = place[-2:-1] in {("labels",), ("matchLabels",), ("selector",)} and place[-1] != "matchLabels"
            if place == ("kind",) or (change is misspell and of_a_label):  # a label may have any name
                continue
            try:
                msgspec.convert(changed(one, place, change), KINDS[one["kind"]])
                missed.append(place)
            except msgspec.ValidationError:
                continue
    assert missed == []
