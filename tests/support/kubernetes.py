"""A transcript of the parts of Kubernetes' API that deploy/kubernetes uses: an unknown or missing field is an error.

Written by hand after the API's documentation (apps/v1, core/v1, networking.k8s.io/v1); not compared with the published
schemas, which no network-free test can fetch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
Labels = dict[
    Annotated[str, Meta(pattern="^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")],
    Annotated[str, Meta(pattern="^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")],
]
Quantity = Annotated[str, Meta(pattern="^[0-9]+([.][0-9]+)?(m|Ki|Mi|Gi|Ti|k|M|G|T)?$")] | int


class Strict(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Of which every field is known."""


class Metadata(Strict):
    name: Name
    labels: Labels


class PodLabels(Strict):
    labels: Labels


class Selector(Strict):
    match_labels: Labels


class HttpGet(Strict):
    path: Annotated[str, Meta(pattern="^/")]
    port: Name | Port


class Probe(Strict):
    http_get: HttpGet
    period_seconds: int = 10
    failure_threshold: int = 3


class ContainerPort(Strict):
    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,15}$")]
    container_port: Port


# Kubernetes takes any name that a domain qualifies; these are what a node really has.
ResourceName = Annotated[str, Meta(pattern="^(cpu|memory|ephemeral-storage|nvidia[.]com/gpu)$")]


class Resources(Strict):
    requests: dict[ResourceName, Quantity]
    limits: dict[ResourceName, Quantity]


class Capabilities(Strict):
    drop: list[str]


class ContainerSecurity(Strict):
    allow_privilege_escalation: bool
    read_only_root_filesystem: bool
    capabilities: Capabilities


class Mount(Strict):
    name: Name
    mount_path: Annotated[str, Meta(pattern="^/")]
    read_only: bool = False


class Container(Strict):
    name: Name
    image: Annotated[str, Meta(pattern="^[a-z0-9./_-]+:[A-Za-z0-9._-]+$")]
    args: list[str]
    ports: list[ContainerPort]
    readiness_probe: Probe
    liveness_probe: Probe
    resources: Resources
    security_context: ContainerSecurity
    volume_mounts: list[Mount]


class Seccomp(Strict):
    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]


class PodSecurity(Strict):
    run_as_non_root: bool
    run_as_user: int
    seccomp_profile: Seccomp


class Claim(Strict):
    claim_name: Name
    read_only: bool = False


class Volume(Strict):
    name: Name
    persistent_volume_claim: Claim | None = None
    empty_dir: dict[str, Any] | None = None


class PodSpec(Strict):
    automount_service_account_token: bool
    security_context: PodSecurity
    containers: Annotated[list[Container], Meta(min_length=1)]
    volumes: list[Volume]


class Template(Strict):
    metadata: PodLabels
    spec: PodSpec


class DeploymentSpec(Strict):
    replicas: int
    selector: Selector
    template: Template


class Deployment(Strict):
    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    metadata: Metadata
    spec: DeploymentSpec


class ServicePort(Strict):
    name: Name
    port: Port
    target_port: Name | Port


class ServiceSpec(Strict):
    selector: Labels
    ports: list[ServicePort]


class Service(Strict):
    api_version: Literal["v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec


class Peer(Strict):
    pod_selector: Selector


class PolicyPort(Strict):
    protocol: Literal["TCP", "UDP", "SCTP"]
    port: Port


class Ingress(Strict):
    from_: list[Peer] = field(name="from")
    ports: list[PolicyPort]


class PolicySpec(Strict):
    pod_selector: Selector
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[Ingress]
    egress: list[dict[str, Any]]


class NetworkPolicy(Strict):
    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    metadata: Metadata
    spec: PolicySpec


KINDS: dict[str, type[Strict]] = {kind.__name__: kind for kind in (Deployment, Service, NetworkPolicy)}
