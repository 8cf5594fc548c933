"""Addresses that a twin may make this device connect to: networks and names that its owner allows, never metadata."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from vigie.errors import ConfigRefusedError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""Private ranges and the local segment. Not the loopback: what listens there trusts its neighbours."""
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        # Clouds' instance metadata and platform services: credentials without a password. Azure, AWS, GCP, Oracle,
        # Alibaba, ECS and EKS tasks.
        ("169.254.169.254", "168.63.129.16", "169.254.170.2", "169.254.170.23", "192.0.0.192", "100.100.100.200",
         "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """``networks`` hold the addresses; ``names`` are hosts that may have any. ``variable``: who says so."""

    networks: tuple[Network, ...]
    names: frozenset[str]
    variable: str

    never: ClassVar[str] = "a peer of this device"
    allowed: ClassVar[str] = "among the hosts that this device allows"

    def refuses_address(self, host: str, address: Address) -> str | None:
        """Why ``host``, which is at ``address``, is not connected to; None: it may be."""
        address = unwrapped(address)
        if is_never_a_peer(address):
            return f"{address} is never {self.never}"
        if host.lower() in self.names or any(address in network for network in self.networks):
            return None
        return f"{address} is not {self.allowed} ({self.describe()}); the device's owner adds it to {self.variable}"

    def refuses_host(self, host: str) -> str | None:
        """As `refuses_address` for a host that is an address; a name is looked up only when it is connected to."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        return self.refuses_address(host, address)

    @property
    def words(self) -> tuple[str, ...]:
        """Networks and names, as whoever reads the variable takes them."""
        return (*map(str, self.networks), *sorted(self.names))

    def describe(self) -> str:
        return ", ".join(self.words) or "none"


def network_policy(words: Iterable[str], variable: str) -> NetworkPolicy:
    """From words: `10.1.0.0/16`, an address, a host name; `default` stands for the private ranges.

    Raises: ConfigRefusedError: a word that is none of these.
    """
    networks, names = networks_and_names(words, variable)
    return NetworkPolicy(networks, names, variable)


def networks_and_names(words: Iterable[str], variable: str) -> tuple[tuple[Network, ...], frozenset[str]]:
    """As `network_policy`, for who has a policy of its own. Raises: ConfigRefusedError."""
    networks: list[Network] = []
    names: set[str] = set()
    for word in words:
        if word == "default":
            networks += map(ipaddress.ip_network, PRIVATE_NETWORKS)
        elif word[0].isdigit() or ":" in word or "/" in word:
            try:
                networks.append(ipaddress.ip_network(word))
            except ValueError as error:
                raise ConfigRefusedError(variable, f"{error}; example: 10.1.0.0/16, host-7.example.com") from error
        else:
            names.add(word.lower())
    return tuple(networks), frozenset(names)


def is_never_a_peer(address: Address) -> bool:
    """Cloud metadata, "any address" and groups: nobody's camera and nobody's receiver."""
    return address in _METADATA or address.is_unspecified or address.is_multicast


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it: mapped, 6to4, NAT64."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
