"""What edgeAgent injects into a module, told by a running hub: with it any process boots as that module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

API_VERSION = "2020-07-07"


def module_environment(hub_json: Path, module: str) -> dict[str, str]:
    """The IOTEDGE_* variables for ``module`` of the hub that wrote ``hub_json``.

    Raises: FileNotFoundError: no hub runs there. KeyError: the hub has no such module.
    """
    hub: dict[str, Any] = json.loads(hub_json.read_text(encoding="utf-8"))
    identity = hub["modules"][module]
    return {
        "IOTEDGE_IOTHUBHOSTNAME": hub["iothub_hostname"],
        "IOTEDGE_DEVICEID": hub["device_id"],
        "IOTEDGE_MODULEID": module,
        "IOTEDGE_GATEWAYHOSTNAME": hub["gateway_hostname"],
        "IOTEDGE_MODULEGENERATIONID": identity["generation_id"],
        "IOTEDGE_WORKLOADURI": identity["workload_uri"],
        "IOTEDGE_APIVERSION": API_VERSION,
        "IOTEDGE_AUTHSCHEME": "sasToken",
    }
