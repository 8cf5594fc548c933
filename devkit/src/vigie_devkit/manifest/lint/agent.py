"""What `$edgeAgent` accepts and then does otherwise than one thinks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from vigie_devkit.manifest.content import modules_content
from vigie_devkit.manifest.lint.deployment import AGENT, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, warning
from vigie_devkit.manifest.placeholders import PLACEHOLDER, is_variable

# What edgeAgent puts into a container itself. Source: Azure/iotedge, edge-agent Constants.cs; others of the prefix are
# read by modules (IOTEDGE_TIMEOUT of the SDKs) and may be set.
_RESERVED = frozenset(
    (
        "IOTEDGE_IOTHUBHOSTNAME",
        "IOTEDGE_GATEWAYHOSTNAME",
        "IOTEDGE_DEVICEID",
        "IOTEDGE_MODULEID",
        "IOTEDGE_MODULEGENERATIONID",
        "IOTEDGE_WORKLOADURI",
        "IOTEDGE_MANAGEMENTURI",
        "IOTEDGE_APIVERSION",
        "IOTEDGE_AUTHSCHEME",
        "IOTEDGE_PARENTHOSTNAME",
        "EDGEHUBCONNECTIONSTRING",
        "EDGEMODULECACERTIFICATEFILE",
    )
)


# Another major version edgeAgent refuses, another minor one it logs. Source: Azure/iotedge, EdgeAgentConnection.cs.
_SCHEMA = re.compile(r"1(\.\d+){1,3}")
_NEARLY_THE_SAME = 0.8


def agent_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    version = deployment.agent.get("schemaVersion")
    if version is not None and not _SCHEMA.fullmatch(str(version)):
        yield error(
            "agent-schema",
            f"{AGENT}.schemaVersion",
            f"is {version!r}: edgeAgent refuses the whole deployment, and the modules of before run on",
            'write "1.1"',
        )
    by_lower: dict[str, str] = {}
    for module in deployment.modules.values():
        other = by_lower.setdefault(module.name.lower(), module.name)
        if other != module.name:
            yield error(
                "module-same-name",
                module.path,
                f"differs from {other!r} in case only",
                "identities ignore case: rename one",
            )
        if "startupOrder" in module.entry and str(deployment.agent.get("schemaVersion")) == "1.0":
            yield warning(
                "agent-version",
                f"{module.path}.startupOrder",
                "is ignored with $edgeAgent schemaVersion 1.0",
                'write "schemaVersion": "1.1"',
            )
        for name in module.entry.get("env", {}):
            if name.upper() in _RESERVED:
                yield error(
                    "env-reserved",
                    f"{module.path}.env.{name}",
                    "edgeAgent sets this itself; with another value the module boots as somebody else, or not at all",
                    "remove it",
                )
    for name in modules_content(deployment.content):
        if not name.startswith("$") and name not in deployment.modules:
            yield warning(
                "module-no-container",
                f"$.modulesContent.{name}",
                "has a twin and no container: $edgeAgent lists no module of that name",
                f"add it to {AGENT}.modules, or correct the name",
            )


def image_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for module in deployment.modules.values():
        image = module.settings.get("image", "")
        if not isinstance(image, str) or PLACEHOLDER.search(image):
            continue
        path = f"{module.path}.settings.image"
        name = image.partition("@")[0]
        tag = name.rpartition("/")[2].partition(":")[2]
        if "@" not in image and tag in {"", "latest"}:
            yield warning(
                "image-latest",
                path,
                f"{image!r} names no version: the device keeps the image it pulled first, an upgrade changes nothing",
                "write the version that was tested",
            )
        host = name.partition("/")[0]
        if "/" not in name or not ("." in host or ":" in host or host == "localhost"):
            yield warning(
                "image-no-registry",
                path,
                f"{image!r} names no registry: a device asks Docker Hub for it",
                "render with --registry, or load the image on the device (docs/deploy.md, air gap)",
            )


def credential_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for name, entry in deployment.runtime_settings.get("registryCredentials", {}).items():
        password = entry.get("password", "")
        if deployment.is_template and password and not is_variable(password):
            yield error(
                "credential-in-template",
                f"{AGENT}.runtime.settings.registryCredentials.{name}.password",
                "a password stands in the template, which is kept in version control",
                "write ${CONTAINER_REGISTRY_PASSWORD} and pass it with --env FILE",
            )


def registry_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Credentials for a registry that no image names, where an image names one that is spelt nearly so."""
    given = deployment.runtime_settings.get("registryCredentials", {})
    addresses = {name: one.get("address", "") for name, one in given.items()}
    images = [str(module.settings.get("image", "")) for module in deployment.modules.values()]
    used = {image.partition("/")[0].lower() for image in images if "/" in image and not PLACEHOLDER.search(image)}
    for name, address in addresses.items():
        if is_variable(address) or PLACEHOLDER.search(address):
            continue
        host = address.lower().removeprefix("https://").partition("/")[0]
        near = get_close_matches(host, used - {one.lower() for one in addresses.values()}, 1, _NEARLY_THE_SAME)
        if host not in used and near:
            yield error(
                "credential-elsewhere",
                f"{AGENT}.runtime.settings.registryCredentials.{name}.address",
                f"no image comes from {address!r}; the device asks {near[0]!r} for them without a password",
                f"write {near[0]!r} if that is the registry, or correct the images",
            )
