"""hub.json: what a running hub says about itself to everything on the same machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from vigie.errors import HubAwayError

FILE_NAME = "hub.json"


class HubDescription(msgspec.Struct, frozen=True, kw_only=True):
    """The members that an operator's client needs; the file holds more."""

    pid: int
    device_id: str
    service_url: str
    ca_file: str
    service_connection_string_file: str
    iothub_hostname: str = ""
    gateway_hostname: str = ""
    modules: dict[str, Any] = {}


def read_description(state: Path) -> HubDescription:
    """Read ``state``/hub.json.

    Raises: HubAwayError: no hub runs there, or the file is none of a hub.
    """
    file = state / FILE_NAME
    try:
        return msgspec.json.decode(file.read_bytes(), type=HubDescription)
    except FileNotFoundError:
        raise HubAwayError(
            f"no local hub runs on {state}; start one with './vigie up' or './vigie hub run', or name its --state"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise HubAwayError(f"{file} does not describe a hub ({error}); start the hub again") from error
