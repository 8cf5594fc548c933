"""Which cameras this device lets a twin name: schemes and networks, decided on the device and not by the twin."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vigie.addresses import PRIVATE_NETWORKS, Address, Network, is_never_a_peer, networks_and_names, unwrapped
from vigie.errors import ConfigRefusedError

SCHEMES_VARIABLE: Final = "VIGIE_CAMERA_SCHEMES"
NETWORKS_VARIABLE: Final = "VIGIE_CAMERA_NETWORKS"
SCHEMES: Final = ("file", "http", "https", "rtsp", "rtsps", "synthetic", "v4l2")


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What may be opened. ``networks`` hold the addresses; ``names`` are hosts that may have any address."""

    schemes: frozenset[str] = frozenset(SCHEMES)
    networks: tuple[Network, ...] = tuple(map(ipaddress.ip_network, PRIVATE_NETWORKS))
    names: frozenset[str] = frozenset()

    def refuses_scheme(self, scheme: str) -> str | None:
        """Why a source of this scheme is not opened; None: it may be."""
        if scheme in self.schemes:
            return None
        return f"this device opens no '{scheme}' sources, only {', '.join(sorted(self.schemes))} ({SCHEMES_VARIABLE})"

    def refuses_address(self, host: str, address: Address) -> str | None:
        """Why ``host``, which is at ``address``, is not connected to; None: it may be."""
        address = unwrapped(address)
        if is_never_a_peer(address):
            return f"{address} is never a camera"
        if host in self.names or any(address in network for network in self.networks):
            return None
        return (
            f"{address} is not in this device's camera networks ({self.describe()}); "
            f"the device's owner adds it to {NETWORKS_VARIABLE}"
        )

    def refuses_host(self, host: str) -> str | None:
        """As `refuses_address` for a host that is an address; a name is looked up only when it is opened."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        return self.refuses_address(host, address)

    @property
    def words(self) -> tuple[str, ...]:
        """Networks and names, for `policy_of` in another process."""
        return (*map(str, self.networks), *sorted(self.names))

    def describe(self) -> str:
        return ", ".join([*map(str, self.networks), *sorted(self.names)]) or "none"


def read_policy(environ: Mapping[str, str]) -> SourcePolicy:
    """The device's policy: `VIGIE_CAMERA_SCHEMES` and `VIGIE_CAMERA_NETWORKS`, words separated by blanks or commas.

    A network is `10.1.0.0/16`, one address, or a host name; the word `default` stands for the private ranges.
    Raises: ConfigRefusedError: a word that is none of these.
    """
    schemes = frozenset(_words(environ.get(SCHEMES_VARIABLE, " ".join(SCHEMES))))
    if unknown := sorted(schemes - set(SCHEMES)):
        raise ConfigRefusedError(SCHEMES_VARIABLE, f"expected some of {', '.join(SCHEMES)}, got {unknown[0][:40]!r}")
    return policy_of(_words(environ.get(NETWORKS_VARIABLE, "default")), schemes)


def policy_of(words: Iterable[str], schemes: frozenset[str] = frozenset(SCHEMES)) -> SourcePolicy:
    """From words of `VIGIE_CAMERA_NETWORKS`. Raises: ConfigRefusedError: a word that is not a network or a name."""
    networks, names = networks_and_names(words, NETWORKS_VARIABLE)
    return SourcePolicy(schemes, networks, names)


def _words(text: str) -> Iterable[str]:
    return text.replace(",", " ").split()
