"""The environment of a module process, read once at start and passed on: nothing else reads ``os.environ``."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from vigie.errors import ConfigRefusedError
from vigie.module_ids import MODULE_ID_RULE, is_module_id
from vigie.sealing import Seals, read_seals

if TYPE_CHECKING:
    from collections.abc import Mapping

LogStyle = Literal["json", "console", "auto"]
LogLevel = Literal["debug", "info", "warning", "error"]

# The SDK boots from the workload API only if all of these are there (azure-iot-device 2.14, abstract_clients.py).
_EDGE_VARIABLES = (
    "IOTEDGE_IOTHUBHOSTNAME",
    "IOTEDGE_DEVICEID",
    "IOTEDGE_MODULEID",
    "IOTEDGE_GATEWAYHOSTNAME",
    "IOTEDGE_MODULEGENERATIONID",
    "IOTEDGE_WORKLOADURI",
    "IOTEDGE_APIVERSION",
)
_CONNECTION_KEYS = ("HostName", "GatewayHostName", "DeviceId", "ModuleId", "SharedAccessKey")


def new_boot() -> str:
    """Eight hex digits that name this start of the process; with ``sent`` they order messages and find duplicates."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class ModuleEnvironment:
    """What the process was told at start. ``module_id`` is the deployed name; ``name`` says which module this code is.

    ``state``: folder the module may write; ``frames``: shared folder of the cameras' rings; ``http``: address and port
    of /metrics, /healthz and /readyz (port 0: ephemeral, see ``http.json`` in ``state``). ``runtimes``: where inference
    keeps what it measured of this machine and what engines compiled, if not in ``state``. ``models``: folders in which
    a model bundle is looked up by its name. ``doorbells``: outputs (``VIGIE_DOORBELLS``) whose
    every route, the manifest says, ends at the one consumer that the module knows: their claims may leave the route.
    ``model_trust``: file of the keys whose bundles this device takes, None: the usual place, where it may be
    missing; ``require_signature``: a bundle without such a key's signature is refused. ``audit_upstream``: lines of the
    audit log go upstream too. ``seals``: the device's keys for what lies on its disk. ``tensors_folder``: where
    preprocess writes tensors (``VIGIE_TENSORS``).
    """

    name: str
    module_id: str
    device_id: str
    state: Path
    frames: Path
    http: tuple[str, int]
    secrets: Path
    log_style: LogStyle = "auto"
    log_level: LogLevel = "info"
    runtimes: Path | None = None
    models: tuple[Path, ...] = (Path("/models"),)
    signals_folder: Path | None = None
    tensors_folder: Path | None = None
    doorbells: frozenset[str] = frozenset()
    model_trust: Path | None = None
    require_signature: bool = False
    audit_upstream: bool = False
    seals: Seals = field(default_factory=Seals)
    boot: str = field(default_factory=new_boot)

    @property
    def signals(self) -> Path:
        """Folder of cursors and doorbells (``VIGIE_SIGNALS``); where none is named they lie in the frame folder."""
        return self.signals_folder or self.frames

    @property
    def tensors(self) -> Path:
        """Folder of the tensor rings; where none is named they lie beside the frames."""
        return self.tensors_folder or self.frames

    @classmethod
    def from_environ(cls, name: str, environ: Mapping[str, str]) -> Self:
        """Read the variables that edgeAgent (or the local run) sets.

        Raises: ConfigRefusedError: a variable that cannot be used, by its name.
        """
        device_id, module_id = _identity(name, environ)
        return cls(
            name=name,
            module_id=module_id,
            device_id=device_id,
            state=Path(environ.get("VIGIE_STATE", "/var/lib/vigie")),
            frames=Path(environ.get("VIGIE_FRAMES", "/dev/shm/vigie")),  # noqa: S108 - the documented tmpfs mount
            http=address_of("VIGIE_HTTP", environ.get("VIGIE_HTTP", "0.0.0.0:9600")),
            secrets=Path(environ.get("VIGIE_SECRETS", "/run/secrets")),
            log_style=cast("LogStyle", _one_of(environ, "VIGIE_LOG", get_args(LogStyle), "auto")),
            signals_folder=Path(environ["VIGIE_SIGNALS"]) if environ.get("VIGIE_SIGNALS") else None,
            tensors_folder=Path(environ["VIGIE_TENSORS"]) if environ.get("VIGIE_TENSORS") else None,
            doorbells=frozenset(environ.get("VIGIE_DOORBELLS", "").split()),
            runtimes=Path(environ["VIGIE_RUNTIMES"]) if environ.get("VIGIE_RUNTIMES") else None,
            models=tuple(Path(part) for part in environ.get("VIGIE_MODELS", "/models").split(os.pathsep) if part),
            model_trust=Path(environ["VIGIE_MODEL_TRUST"]) if environ.get("VIGIE_MODEL_TRUST") else None,
            require_signature=_one_of(environ, "VIGIE_REQUIRE_SIGNATURE", ("on", "off"), "off") == "on",
            seals=read_seals(environ),
            audit_upstream=_one_of(environ, "VIGIE_AUDIT_UPSTREAM", ("on", "off"), "off") == "on",
            log_level=cast("LogLevel", _one_of(environ, "VIGIE_LOG_LEVEL", get_args(LogLevel), "info")),
        )


def check_boot_variables(environ: Mapping[str, str]) -> None:
    """What the SDK needs to make a client, checked before it is asked, so that the reason is one sentence.

    Raises: ConfigRefusedError: a variable is missing or cannot be used; no waiting mends it.
    """
    if all(name in environ for name in _EDGE_VARIABLES):
        return
    text, ca_file = environ.get("EdgeHubConnectionString"), environ.get("EdgeModuleCACertificateFile")
    if text is None or ca_file is None:
        missing = next(name for name in _EDGE_VARIABLES if name not in environ)
        raise ConfigRefusedError(
            missing,
            "not set, nor are EdgeHubConnectionString and EdgeModuleCACertificateFile; "
            "start this module by IoT Edge or './vigie up'",
        )
    lacking = [key for key in _CONNECTION_KEYS if f"{key}=" not in text]
    if lacking:
        raise ConfigRefusedError("EdgeHubConnectionString", f"lacks {', '.join(lacking)}")
    if not Path(ca_file).is_file():
        raise ConfigRefusedError("EdgeModuleCACertificateFile", f"there is no file {ca_file}")


def _identity(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    if "IOTEDGE_MODULEID" in environ:
        device_id, module_id = environ.get("IOTEDGE_DEVICEID", ""), environ["IOTEDGE_MODULEID"]
    else:
        pairs = (part.partition("=") for part in environ.get("EdgeHubConnectionString", "").split(";"))
        parts = {key: value for key, _, value in pairs}
        device_id, module_id = parts.get("DeviceId", ""), parts.get("ModuleId", name)
    if not is_module_id(module_id):
        raise ConfigRefusedError("IOTEDGE_MODULEID", f"expected {MODULE_ID_RULE}; got {module_id[:80]!r}")
    return device_id, module_id


def _one_of(environ: Mapping[str, str], variable: str, choices: tuple[str, ...], default: str) -> str:
    value = environ.get(variable, default).lower()
    if value not in choices:
        raise ConfigRefusedError(variable, f"expected one of {', '.join(choices)}, got {value[:40]!r}")
    return value


def address_of(variable: str, text: str) -> tuple[str, int]:
    """Host and port of ``address:port``. Raises: ConfigRefusedError, with the ``variable`` that holds it."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65_535:
        raise ConfigRefusedError(variable, f"expected address:port, got {text[:80]!r}")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - an empty address means every address
