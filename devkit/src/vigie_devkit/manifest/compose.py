"""`compose.yaml` out of the manifest: the same images, limits, volumes and environment, with the local hub as edgeHub.

For `docker compose` and for docker-compose 1.29. What a createOptions member becomes is one table; a member without a
counterpart is refused, so that nothing that the device gets is silently missing here. Networks are this file's own:
each module shares one with the hub and with nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from vigie.contracts.names import ACTIONS, CAMERA, EVIDENCE, SYNC
from vigie_devkit.images.catalogue import GROUP, HUB, HUB_HEALTH, USERS
from vigie_devkit.local.container import (
    CAMERA_SECRETS,
    CAMERAS,
    CAMERAS_VARIABLE,
    DEFAULT_MODEL,
    DEVICE,
    HOME,
    IOTHUB,
    MANIFEST,
    MODULE_WORKLOAD,
    WORKLOAD,
)
from vigie_devkit.local.metrics_relay import MODULES_VARIABLE, PORT, PUBLISHED
from vigie_devkit.local.sources import DEFAULT_SOURCE
from vigie_devkit.manifest.content import HostOptions, edge_modules, host_options, module_environment
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.images import ModuleFile
from vigie_edgehub.environment import API_VERSION

OUTSIDE = "outside"
PAGE = "page"
METRICS = "metrics"
SECRETS = "camera-secrets"
SECRETS_TARGET = "/run/secrets"
# Folders of a device: secrets come by compose's own secrets, and nobody's keys are trusted by a laptop's /etc.
LEFT_OUT = (SECRETS_TARGET, "/run/trust")
"""In the camera: on a device a folder of the host, here the volume that the hub fills from ``VIGIE_CAMERA``."""
_ARCHITECTURES = ("amd64", "arm64v8")
_HUB_MEMORY = "384m"
_METRICS_MEMORY = "96m"
# The hub writes into it, the module that mounts it reads.
_TMPFS_SMALL = {"type": "tmpfs", "device": "tmpfs", "o": f"size=1m,uid={USERS[HUB]},gid={GROUP},mode=0750"}
# Internal alone leaves the host itself in reach, at the bridge's own address: so the bridge gets none.
_EDGE_NETWORK = {"internal": True, "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"}}
_PAGE_PORT = "${{VIGIE_PAGE_PORT:-{}}}"
# Ports of it reach the host, and nothing behind it reaches further: no address translation on the way out.
_PAGE_NETWORK = {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}
# Where a module opens connections of its own: cameras and sinks on the network; what sync is configured for.
_REACHES_OUTSIDE = frozenset({CAMERA, SYNC, ACTIONS, EVIDENCE})
_RESTART = {"always": "always", "on-unhealthy": "always", "on-failure": "on-failure", "never": "no"}
_HEADER = """\
# Generated from deployment.template.json by ./vigie manifest compose; change that and run it again (a test compares).
# Hub and modules as on a device, without Azure: docker compose up  (docker-compose 1.29 works too).
#
#   VIGIE_CAMERA     what the cameras are, separated by blanks   rtsp://192.168.10.20/stream1
#   VIGIE_CAMERA_FILE   the same from a file, one per line, for sources with passwords (readable for group 1250)
#   VIGIE_MODEL      bundle folder inside the inference image     /models/conveyor-parts
#   VIGIE_PLATFORM   key of the images; VIGIE_ARCH the part before its dash: amd64 or arm64v8
#   VIGIE_PAGE_PORT  port of the viewer's page on this machine    8710
#   VIGIE_METRICS_PORT  port of /MODULE/metrics, healthz, readyz  9600
#   VIGIE_IMAGES     prefix of the images, with its slash         registry.example.com/
#   VIGIE_TAG        version of the images
#
# The page asks for a token: docker compose exec viewer python -c "print(open('/var/lib/vigie/page-token').read())"
"""


class _WithoutAnchors(yaml.SafeDumper):
    """Every service is readable on its own."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def compose_text(content: Mapping[str, Any], files: Mapping[str, ModuleFile]) -> str:
    """The file's text. Raises: ManifestError: the manifest holds what compose has no counterpart for."""
    document = compose_document(content, files)
    body = yaml.dump(document, Dumper=_WithoutAnchors, sort_keys=False, width=120, default_flow_style=False)
    return f"{_HEADER}\n{body}"


def compose_document(content: Mapping[str, Any], files: Mapping[str, ModuleFile]) -> dict[str, Any]:
    """Services, networks and volumes. Raises: ManifestError."""
    volumes: dict[str, Any] = {"hub": {}}
    services: dict[str, Any] = {HUB: _hub(files)}
    networks: dict[str, Any] = {OUTSIDE: {}}
    for name, module in edge_modules(content).items():
        if name not in files:
            raise ManifestError(
                f"module {name}", "has no module.json", "compose knows only the modules of this checkout"
            )
        options = host_options(name, module)
        services[name] = _service(name, module, options, files[name])
        for mount in options.mounts:
            volumes.setdefault(mount.source, {"driver_opts": mount.driver_options} if mount.driver_options else {})
        volumes[f"workload-{name}"] = {"driver_opts": dict(_TMPFS_SMALL)}
        networks[f"edge-{name}"] = dict(_EDGE_NETWORK)
        if "ports" in services[name]:
            networks[PAGE] = dict(_PAGE_NETWORK)
        services[HUB]["networks"].append(f"edge-{name}")
        services[HUB]["volumes"].append(_volume(f"workload-{name}", f"{WORKLOAD}/{name}"))
    services[METRICS] = _metrics(services[HUB], list(edge_modules(content)))
    networks[METRICS] = dict(_PAGE_NETWORK)
    volumes[SECRETS] = {"driver_opts": dict(_TMPFS_SMALL)}
    # Without a file an empty one: the sources of VIGIE_CAMERA hold.
    secrets = {Path(CAMERAS).name: {"file": f"${{{CAMERAS_VARIABLE}:-./deploy/no-cameras.txt}}"}}
    return {"services": services, "networks": networks, "volumes": volumes, "secrets": secrets}


def _hub(files: Mapping[str, ModuleFile]) -> dict[str, Any]:
    return {
        "image": _image("vigie-hub", next(iter(files.values())).image.tag.version),
        "build": {"context": ".", "dockerfile": "devkit/Dockerfile.${VIGIE_ARCH:-amd64}"},
        "entrypoint": ["python", "-m", "vigie_devkit.local.container"],
        "environment": {
            "VIGIE_HOME": HOME,
            "VIGIE_LOG": "json",
            "VIGIE_CAMERA": f"${{VIGIE_CAMERA:-{DEFAULT_SOURCE}}}",
            "VIGIE_MODEL": f"${{VIGIE_MODEL:-{DEFAULT_MODEL}}}",
        },
        "secrets": [Path(CAMERAS).name],
        "user": f"{USERS[HUB]}:{GROUP}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": _HUB_MEMORY,
        "tmpfs": ["/tmp:size=16m,mode=1777"],  # noqa: S108 - in the container, whose root is read-only
        "networks": [],
        "volumes": [
            {"type": "bind", "source": "./deployment.template.json", "target": MANIFEST, "read_only": True},
            _volume("hub", HOME),
            _volume(SECRETS, CAMERA_SECRETS),
        ],
        # Not process 1, which nothing in its container can end.
        "init": True,
        # The image's own check, oftener: the modules wait for it.
        "healthcheck": {
            "test": ["CMD", *HUB_HEALTH],
            "interval": "5s",
            "timeout": "10s",
            "retries": 24,
        },
        "restart": "always",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _metrics(hub: Mapping[str, Any], modules: list[str]) -> dict[str, Any]:
    """Of the hub's image, without its volumes: it holds nothing, and reaches the modules and the host."""
    same = ("image", "build", "user", "read_only", "cap_drop", "security_opt", "restart", "logging")
    check = f"import socket; socket.create_connection(('{PUBLISHED}', {PORT}), 2)"
    return {
        **{key: hub[key] for key in same},
        "entrypoint": ["python", "-m", "vigie_devkit.local.metrics_relay"],
        "environment": {MODULES_VARIABLE: " ".join(modules)},
        "mem_limit": _METRICS_MEMORY,
        "pids_limit": 64,
        "ports": [f"127.0.0.1:${{VIGIE_METRICS_PORT:-{PORT}}}:{PORT}"],
        "networks": {**{f"edge-{name}": {} for name in modules}, METRICS: {"aliases": [PUBLISHED]}},
        "healthcheck": {"test": ["CMD", "python", "-c", check], "interval": "10s", "timeout": "5s", "retries": 12},
    }


def _service(name: str, module: Mapping[str, Any], options: HostOptions, file: ModuleFile) -> dict[str, Any]:
    # Only inference is built differently for each class of hardware.
    one_each = len(set(file.image.tag.platforms.values())) > len(_ARCHITECTURES)
    dockerfile = "${VIGIE_PLATFORM:-amd64}" if one_each else "${VIGIE_ARCH:-amd64}"
    service: dict[str, Any] = {
        "image": _image(Path(file.image.repository).name, file.image.tag.version),
        "build": {"context": ".", "dockerfile": f"modules/{name}/Dockerfile.{dockerfile}"},
        "environment": {
            **{key: _escaped(value) for key, value in module_environment(module, options).items()},
            **_injected(name),
        },
        "depends_on": {HUB: {"condition": "service_healthy"}},
    }
    for member, value in options.host.items():
        if member in _IGNORED:
            continue
        if member not in _COUNTERPARTS:
            raise ManifestError(
                f"module {name}",
                f"createOptions HostConfig.{member} has no counterpart in compose",
                "add it to compose.py",
            )
        key, convert = _COUNTERPARTS[member]
        service[key] = convert(value)
    if options.user:
        service["user"] = options.user
    service["networks"] = [
        f"edge-{name}",
        *([OUTSIDE] if name in _REACHES_OUTSIDE else []),
        *([PAGE] if "ports" in service else []),
    ]
    service["volumes"] = [
        *(_volume(mount.source, mount.target, read_only=mount.read_only) for mount in options.mounts),
        *(_bind(bind) for bind in options.host.get("Binds", []) if _target(name, bind) not in LEFT_OUT),
        _volume(f"workload-{name}", MODULE_WORKLOAD, read_only=True),
        *([_volume(SECRETS, SECRETS_TARGET, read_only=True)] if name == CAMERA else []),
    ]
    service["restart"] = _RESTART[module.get("restartPolicy", "always")]
    return service


def _injected(name: str) -> dict[str, str]:
    """What edgeAgent would put into the container; the socket is this module's own, as on a device."""
    return {
        "IOTEDGE_IOTHUBHOSTNAME": IOTHUB,
        "IOTEDGE_DEVICEID": DEVICE,
        "IOTEDGE_MODULEID": name,
        "IOTEDGE_GATEWAYHOSTNAME": HUB,
        "IOTEDGE_MODULEGENERATIONID": "1",
        "IOTEDGE_WORKLOADURI": f"unix://{MODULE_WORKLOAD}/workload.sock",
        "IOTEDGE_APIVERSION": API_VERSION,
        "IOTEDGE_AUTHSCHEME": "sasToken",
    }


def _image(name: str, version: str) -> str:
    return f"${{VIGIE_IMAGES:-}}{name}:${{VIGIE_TAG:-{version}}}-${{VIGIE_PLATFORM:-amd64}}"


def _volume(source: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    volume: dict[str, Any] = {"type": "volume", "source": source, "target": target}
    return {**volume, "read_only": True} if read_only else volume


def _target(name: str, bind: str) -> str:
    """Where in the container. Raises: ManifestError: it does not say."""
    parts = bind.split(":")
    if len(parts) < 2 or not all(parts[:2]):
        raise ManifestError(f"module {name}", f"HostConfig.Binds holds {bind!r}", "write FOLDER:TARGET:ro")
    return parts[1]


def _bind(text: str) -> dict[str, Any]:
    source, target, *options = text.split(":")
    bind: dict[str, Any] = {"type": "bind", "source": source, "target": target}
    return {**bind, "read_only": True} if "ro" in options else bind


def _escaped(value: Any) -> str:
    return str(value).replace("$", "$$")


def _megabytes(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ManifestError("HostConfig.Memory", f"{value!r} is not a number of bytes", "see ./vigie manifest lint")
    return f"{value >> 20}m" if value % (1 << 20) == 0 else f"{value}b"


def _logging(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"driver": value.get("Type", "json-file"), "options": dict(value.get("Config", {}))}


def _devices(value: list[Mapping[str, str]]) -> list[str]:
    return [
        f"{device['PathOnHost']}:{device['PathInContainer']}:{device.get('CgroupPermissions', 'rwm')}"
        for device in value
    ]


def _ports(value: Mapping[str, list[Mapping[str, str]]]) -> list[str]:
    shown = []
    for port, hosts in value.items():
        for host in hosts:
            if not host.get("HostPort"):
                raise ManifestError("HostConfig.PortBindings", f"{port!r} has no HostPort", "name the host's port")
            address = f"{host['HostIp']}:" if host.get("HostIp") else ""
            shown.append(f"{address}{_PAGE_PORT.format(host['HostPort'])}:{port.removesuffix('/tcp')}")
    return shown


def _tmpfs(value: Mapping[str, str]) -> list[str]:
    return [f"{path}:{options}" if options else path for path, options in value.items()]


def _same(value: Any) -> Any:
    return value


_IGNORED = frozenset({"Mounts", "Binds"})  # volumes, handled with their driver options
_COUNTERPARTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ReadonlyRootfs": ("read_only", _same),
    "CapDrop": ("cap_drop", _same),
    "CapAdd": ("cap_add", _same),
    "SecurityOpt": ("security_opt", _same),
    "Memory": ("mem_limit", _megabytes),
    "LogConfig": ("logging", _logging),
    "Devices": ("devices", _devices),
    "PortBindings": ("ports", _ports),
    "GroupAdd": ("group_add", _same),
    "Runtime": ("runtime", _same),
    "Tmpfs": ("tmpfs", _tmpfs),
    "Init": ("init", _same),
    "PidsLimit": ("pids_limit", _same),
}
