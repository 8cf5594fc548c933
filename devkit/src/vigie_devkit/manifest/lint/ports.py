"""Published ports: what Docker refuses, two containers on one port, and the page on every address of the device."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from vigie.contracts import names
from vigie_devkit.manifest.content import create_options
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning

_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp)?)?", re.IGNORECASE)
_HOST_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(?:tcp|udp|sctp))?", re.IGNORECASE)
_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what is looked for, not listened on
_PAGE = "8710"  # where the page is without VIGIE_PAGE


@dataclass(frozen=True)
class _Binding:
    """``port``: of the container, ``protocol`` in small letters, ``host_port`` as written, "" for one by chance."""

    path: str
    port: str
    protocol: str
    address: str
    host_port: str


def port_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Two containers on one port of the device: the second never starts."""
    taken = {_key(one): "edgeHub" for one in _bindings(_options_of_the_hub(deployment), "")}
    for module in deployment.modules.values():
        yield from _forms(module)
        for one in _bindings(module.host.host, module.host_path):
            if _key(one) in taken:
                yield error(
                    "options-port-taken",
                    one.path,
                    f"port {_key(one)} of the device belongs to {taken[_key(one)]!r}: this container never starts",
                    "publish another port",
                )
            if one.host_port:
                taken.setdefault(_key(one), module.name)


def page_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """The viewer's page, and with it the pictures of every camera, on the networks that the device is on."""
    for module in deployment.of_kind(names.VIEWER):
        if module.environment("VIGIE_PAGE_TLS", ""):
            continue
        page = module.environment("VIGIE_PAGE", _PAGE).rpartition(":")[2]
        for one in _bindings(module.host.host, module.host_path):
            if one.port == page and one.address in _EVERY_ADDRESS:
                yield warning(
                    "page-on-every-address",
                    one.path,
                    "the page with live pictures is on every address of the device, and its token travels unencrypted",
                    'write "HostIp": "127.0.0.1" and reach it by a tunnel, or set VIGIE_PAGE_TLS (docs/viewer.md)',
                )


def _forms(module: Module) -> Iterator[Finding]:
    """Ports and addresses that Docker refuses, ignores or reads as something else."""
    for port, each in module.host.host.get("PortBindings", {}).items():
        path = f"{module.host_path}.PortBindings.{port}"
        match = _PORT.fullmatch(port)
        if match is None or not _is_port(match[1]):
            yield error(
                "options-port-form",
                path,
                "is not a port from 1 to 65535: Docker refuses it, and the module never starts",
                "write it as 8710/tcp",
            )
        elif not match[2]:
            yield hint(
                "options-port-form",
                path,
                f"has no protocol: Docker takes it for {match[1]}/tcp",
                f"write {match[1]}/tcp",
            )
        for index, one in enumerate(each):
            yield from _ends(one, f"{path}[{index}]")


def _ends(binding: Mapping[str, Any], path: str) -> Iterator[Finding]:
    port, address = binding.get("HostPort", ""), binding.get("HostIp", "")
    match = _HOST_PORT.fullmatch(port)
    if port != "" and (match is None or not all(_is_port(end) for end in match.groups() if end)):
        yield error(
            "options-port-form",
            f"{path}.HostPort",
            f"is {port!r}: Docker takes a port from 1 to 65535, as text",
            'write "8710"',
        )
    if not _is_address(address):
        yield error(
            "options-port-form",
            f"{path}.HostIp",
            f"{address!r} is not an IP address: Docker may publish the port on every address of the device",
            'write "127.0.0.1", or the address of one network',
        )


def _bindings(host: Mapping[str, Any], path: str) -> Iterator[_Binding]:
    """What can be read; the rest is the findings of ``_forms``."""
    for port, each in host.get("PortBindings", {}).items():
        number, _, protocol = port.partition("/")
        for one in each:
            address, host_port = one.get("HostIp", ""), one.get("HostPort", "").partition("/")[0]
            yield _Binding(f"{path}.PortBindings.{port}", number, protocol.lower() or "tcp", address, host_port)


def _options_of_the_hub(deployment: Deployment) -> Mapping[str, Any]:
    """What edgeHub publishes by this manifest: nothing where it says nothing (in nested edge another port)."""
    hub = deployment.agent.get("systemModules", {}).get("edgeHub", {})
    try:
        host: Mapping[str, Any] = create_options("edgeHub", hub.get("settings", {})).get("HostConfig", {})
    except ManifestError:
        return {}
    return host


def _key(binding: _Binding) -> str:
    return f"{binding.host_port}/{binding.protocol}"


def _is_port(text: str) -> bool:
    return 1 <= int(text) <= 65_535


def _is_address(value: Any) -> bool:
    if value == "":
        return True
    try:
        ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True
