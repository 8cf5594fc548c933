"""Which hosts this device lets a twin name as sinks: decided on the device and not by the twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vigie.addresses import NetworkPolicy, network_policy

HOSTS_VARIABLE: Final = "VIGIE_ACTION_HOSTS"


def read_policy(environ: Mapping[str, str]) -> NetworkPolicy:
    """From `VIGIE_ACTION_HOSTS`: networks, addresses and host names, separated by blanks or commas.

    The word `default` stands for the private ranges, which hold where nothing is said.
    Raises: ConfigRefusedError.
    """
    return network_policy(environ.get(HOSTS_VARIABLE, "default").replace(",", " ").split(), HOSTS_VARIABLE)
