"""What a module may reach beyond its own container: the engine, the host's folders and namespaces, every capability.

Whoever breaks into such a module owns the device. Passwords in ``env`` are of the same kind: `docker inspect`, IoT Hub
and everybody who may read the manifest show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from vigie_devkit.images.catalogue import GROUP, USERS
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, hint, warning
from vigie_devkit.manifest.lint.secrets import places

_SOCKETS = frozenset({"docker.sock", "containerd.sock", "podman.sock", "crio.sock"})
_WHOLE = frozenset(
    map(PurePosixPath, ("/", "/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var",
                        "/var/lib", "/var/run", "/var/lib/docker"))
)  # fmt: skip
_NAMESPACES = {"NetworkMode": "network", "PidMode": "processes", "IpcMode": "shared memory", "UsernsMode": "users",
               "UTSMode": "host name", "CgroupnsMode": "cgroups"}  # fmt: skip
_UNCONFINED = re.compile(r"(seccomp|apparmor|label|systempaths)[=:](unconfined|disable)", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"PASS(WORD|WD|PHRASE)|(?<![A-Z])(PASS|PWD)(?![A-Z])|SECRET|TOKEN|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|"
    r"CONNECTION_?STRING|(?<![A-Z])SAS(?![A-Z])",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(r"_?(FILE|PATH|FOLDER|DIR)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"(SharedAccessKey|AccountKey|SharedAccessSignature|Password|Pwd)\s*=|://[^/@\s:]*:(?!\$\{?\w+\}?@)[^/@\s]+@",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\$\{?\w+\}?")


def isolation_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for module in deployment.modules.values():
        yield from _mounts(module)
        yield from _namespaces(module)
        yield from _rights(module)
        yield from _passwords(module, is_template=deployment.is_template)


def user_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """A user each: what one module makes in a volume that others mount, those cannot change."""
    first: dict[str, Module] = {}
    for module in deployment.ours:
        user = module.host.user.partition(":")[0]
        if user in {"", "0", "root"}:
            continue  # other rules' findings
        other = first.setdefault(user, module)
        if other is not module:
            yield warning(
                "user-shared",
                f"{module.options_path}.User",
                f"{module.name!r} runs as user {user}, as {other.name!r} does: it could forge its doorbells",
                f"write the user of its image: {USERS[module.kind]}:{GROUP}"
                if module.kind in USERS
                else "write another",
            )


def _mounts(module: Module) -> Iterator[Finding]:
    for place in places(module):
        source = PurePosixPath(place.source)
        if source.name in _SOCKETS:
            yield warning(
                "isolation-engine-socket",
                place.path,
                f"{place.source} is the engine: whoever has it starts a container with the whole host",
                "remove it; a module asks edgeAgent by a direct method",
            )
        elif source in _WHOLE:
            yield warning(
                "isolation-host-folder",
                place.path,
                f"the module {'reads' if place.read_only else 'reads and changes'} all of the host's {source}",
                "mount the one folder that it needs, read-only",
            )


def _namespaces(module: Module) -> Iterator[Finding]:
    host = module.host_path
    shared = [
        (f"{host}.{member}", what)
        for member, what in _NAMESPACES.items()
        if str(module.host.host.get(member, "")).lower() == "host"
    ]
    networking = module.options.get("NetworkingConfig")
    endpoints = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    if isinstance(endpoints, dict) and "host" in endpoints:
        shared.append((f"{module.options_path}.NetworkingConfig.EndpointsConfig.host", "network"))
    for path, what in shared:
        yield warning(
            "isolation-host-namespace",
            path,
            f"the module shares the host's {what}: it reaches what listens or runs there",
            "leave it out; publish single ports by PortBindings",
        )


def _rights(module: Module) -> Iterator[Finding]:
    host = module.host_path
    for index, option in enumerate(module.host.host.get("SecurityOpt", [])):
        if match := _UNCONFINED.search(str(option)):
            yield warning(
                "isolation-unconfined",
                f"{host}.SecurityOpt[{index}]",
                f"{match[1].lower()} is switched off: every system call or path of the kernel is open to the module",
                "leave it out, or name a profile of your own",
            )
    if module.host.user.partition(":")[0] in {"0", "root"}:
        yield warning(
            "isolation-root",
            f"{module.options_path}.User",
            "the module is root in its container, and on the host wherever it gets out",
            "write another user",
        )
    if "ALL" not in {str(name).upper().removeprefix("CAP_") for name in module.host.host.get("CapDrop", [])}:
        found = warning if module.kind else hint
        yield found(
            "isolation-capabilities",
            f"{host}.CapDrop",
            "the module keeps Docker's default capabilities",
            'write "CapDrop": ["ALL"]' + ("" if module.kind else ", and CapAdd for what it needs"),
        )


def _passwords(module: Module, *, is_template: bool) -> Iterator[Finding]:
    """The value is never part of the finding."""
    given = {
        **{(f"{module.options_path}.Env", name): value for name, value in module.host.environment.items()},
        **{
            (f"{module.path}.env.{name}.value", name): entry.get("value", "")
            for name, entry in module.entry.get("env", {}).items()
        },
    }
    for (path, name), value in given.items():
        text = str(value)
        if not text or (is_template and _PLACEHOLDER.fullmatch(text)):
            continue
        named = _SECRET_NAME.search(name) and not _FILE_NAME.search(name) and not text.startswith("/")
        if named or _SECRET_VALUE.search(text):
            yield warning(
                "env-password",
                path,
                f"{name!r} holds a password in the open: IoT Hub, edgeAgent and 'docker inspect' show it",
                f"mount a file that holds it, read-only, and name the file in {name}_FILE",
            )
