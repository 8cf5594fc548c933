"""What `$edgeAgent` and createOptions must look like before anything is made of them: checked once, at the edge.

Only what the tools here touch; unknown members pass. Docker's own words, as its API spells them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from vigie.config.mistakes import mistakes
from vigie_devkit.manifest.errors import ManifestError

RestartPolicy = Literal["always", "on-unhealthy", "on-failure", "never"]


class EnvironmentValue(msgspec.Struct, frozen=True):
    value: str | int | float | bool


class AgentModule(msgspec.Struct, frozen=True):
    """A module or system module of `$edgeAgent`."""

    env: dict[str, EnvironmentValue] = {}
    settings: dict[str, Any] = {}
    restartPolicy: RestartPolicy = "always"  # noqa: N815 - the name in the manifest


class Credential(msgspec.Struct, frozen=True):
    address: str = ""
    username: str = ""
    password: str = ""


class RuntimeSettings(msgspec.Struct, frozen=True):
    registryCredentials: dict[str, Credential] = {}  # noqa: N815


class Runtime(msgspec.Struct, frozen=True):
    settings: RuntimeSettings = RuntimeSettings()


class AgentProperties(msgspec.Struct, frozen=True):
    """Desired properties of `$edgeAgent`."""

    modules: dict[str, AgentModule]
    systemModules: dict[str, AgentModule] = {}  # noqa: N815
    runtime: Runtime = Runtime()


class DriverConfig(msgspec.Struct, frozen=True, rename="pascal"):
    options: dict[str, str] = {}


class VolumeOptions(msgspec.Struct, frozen=True, rename="pascal"):
    driver_config: DriverConfig = DriverConfig()


class MountShape(msgspec.Struct, frozen=True, rename="pascal"):
    type: str
    target: str
    source: str = ""
    read_only: bool = False
    volume_options: VolumeOptions = VolumeOptions()


class LogConfig(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = "json-file"
    config: dict[str, str] = {}


class PortBinding(msgspec.Struct, frozen=True, rename="pascal"):
    host_port: str = ""
    host_ip: str = ""


class DeviceMapping(msgspec.Struct, frozen=True, rename="pascal"):
    path_on_host: str
    path_in_container: str
    cgroup_permissions: str = "rwm"


class HostConfig(msgspec.Struct, frozen=True, rename="pascal"):
    """Limits and device requests are not here: the lint has rules of its own for what they may be."""

    mounts: list[MountShape] = []
    binds: list[str] = []
    tmpfs: dict[str, str] = {}
    group_add: list[str] = []
    cap_add: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []
    port_bindings: dict[str, list[PortBinding]] = {}
    log_config: LogConfig = LogConfig()
    devices: list[DeviceMapping] = []


class CreateOptions(msgspec.Struct, frozen=True, rename="pascal"):
    user: str = ""
    env: list[str] = []
    host_config: HostConfig = HostConfig()


def check_shape(value: Any, shape: type[Any], path: str) -> None:
    """Raises: ManifestError: ``value`` is shaped otherwise, with the path of the first place and all that is wrong."""
    found = mistakes(shape, value)
    if found:
        first, *others = found
        also = "".join(f"; {path}{one.path.removeprefix('$')}: {one.reason}" for one in others)
        raise ManifestError(f"{path}{first.path.removeprefix('$')}", f"{first.reason}{also}", "correct it")
